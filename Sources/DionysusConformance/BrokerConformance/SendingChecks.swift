import Dionysus

extension BrokerConformance {
    static let sendingChecks: [Check] = [
        Check("Each message has a result with its partition and a dense, growing offset") { trial in
            let topic = try await trial.makeTopic(partitions: 2)
            let producer = try await trial.makeProducer()
            let first = (0..<10).map { OutgoingMessage(numbered: $0, to: TopicPartition(topic, Int32($0 % 2))) }
            let acknowledgements = try await trial.send(first, with: producer)
            try expectEqual(
                acknowledgements,
                (0..<10).map { Acknowledgement(partition: Int32($0 % 2), offset: Int64($0 / 2)) },
                "the results of the first batch"
            )
            let second = try await trial.send(
                [OutgoingMessage(numbered: 10, to: TopicPartition(topic, 1))],
                with: producer
            )
            try expectEqual(second, [Acknowledgement(partition: 1, offset: 5)], "the result of the second batch")
        },

        Check("An empty batch has no results") { trial in
            let producer = try await trial.makeProducer()
            let results = await producer.send([])
            try expect(results.isEmpty, "no results", "there were \(results.count)")
        },

        Check("The partition is the partition key's CRC-32 modulo the number of partitions") { trial in
            let topic = try await trial.makeTopic(partitions: 4)
            let producer = try await trial.makeProducer()
            // The algorithm's published check value is 0xCBF43926 for "123456789".
            let known = OutgoingMessage(
                topic: topic,
                destination: .partitioned(by: Array("123456789".utf8)),
                key: Array("unrelated".utf8),
                value: []
            )
            let placed = try await trial.send([known], with: producer)
            try expectEqual(placed.map(\.partition), [Int32(0xCBF4_3926 as UInt32 % 4)], "the partition")
            try await trial.expectPartitions(of: topic, from: producer, by: .crc32)
        },

        Check("The partition is the partition key's Murmur2 hash if that is chosen") { trial in
            let topic = try await trial.makeTopic(partitions: 4)
            let producer = try await trial.makeProducer(.murmur2)
            try await trial.expectPartitions(of: topic, from: producer, by: .murmur2)
        },

        Check("An oversized message is refused, and the others of its batch are sent") { trial in
            let topic = try await trial.makeTopic(partitions: 1)
            let partition = TopicPartition(topic, 0)
            let producer = try await trial.makeProducer()
            var messages = (0..<5).map { OutgoingMessage(numbered: $0, to: partition) }
            messages[2].value = [UInt8](repeating: 120, count: trial.harness.oversize)
            let results = await producer.send(messages)
            try expect(results.count == 5, "5 results", "there were \(results.count)")
            try expectFailure(results[2], code: .messageRejected, "the oversized message")
            let offsets = try [0, 1, 3, 4].map { try results[$0].get().offset }
            try expectEqual(offsets, [0, 1, 2, 3], "the offsets of the others")
            var reader = try await trial.makeReader(of: [topic])
            let read = try await reader.read(4)
            try expectEqual(read.map(\.number), [0, 1, 3, 4], "the numbers that were read")
            await reader.close()
        },

        Check("A message for a missing partition is refused, and the others are sent") { trial in
            let topic = try await trial.makeTopic(partitions: 2)
            let producer = try await trial.makeProducer()
            let results = await producer.send([
                OutgoingMessage(numbered: 0, to: TopicPartition(topic, 99)),
                OutgoingMessage(numbered: 1, to: TopicPartition(topic, 1)),
            ])
            try expect(results.count == 2, "2 results", "there were \(results.count)")
            try expectFailure(results[0], code: .unknownTopic, "the message for partition 99")
            try expectEqual(try results[1].get(), Acknowledgement(partition: 1, offset: 0), "the other result")
        },

        Check("Concurrent batches each keep their order") { trial in
            let topic = try await trial.makeTopic(partitions: 1)
            let producer = try await trial.makeProducer()
            let offsets = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for batch in 0..<8 {
                    group.addTask {
                        let messages = (0..<50)
                            .map {
                                OutgoingMessage(numbered: batch * 50 + $0, to: TopicPartition(topic, 0))
                            }
                        return try await trial.send(messages, with: producer).map(\.offset)
                    }
                }
                return try await group.reduce(into: [[Int64]]()) { $0.append($1) }
            }
            for batch in offsets {
                try expect(batch == batch.sorted(), "a batch's offsets to grow", "they were \(batch)")
            }
            try expectEqual(offsets.flatMap(\.self).sorted(), Array(0..<400), "all offsets")
        },

        Check("A closed producer refuses each message") { trial in
            let topic = try await trial.makeTopic(partitions: 1)
            let producer = try await trial.makeProducer()
            try await trial.send([OutgoingMessage(numbered: 0, to: TopicPartition(topic, 0))], with: producer)
            await producer.close(deadline: trial.harness.patience)
            let results = await producer.send([OutgoingMessage(numbered: 1, to: TopicPartition(topic, 0))])
            try expect(results.count == 1, "1 result", "there were \(results.count)")
            if case .success = results[0] {
                throw ConformanceFailure(expected: "the message to be refused", actual: "it was acknowledged")
            }
        },
    ]
}

extension BrokerTrial {
    /// Sends messages with different partition keys to a topic of four partitions and checks their partitions.
    fileprivate func expectPartitions(
        of topic: String,
        from producer: any MessageProducer,
        by partitioner: Partitioner
    ) async throws {
        let keys = (0..<50).map { Array("partition-key-\($0)".utf8) }
        let messages = keys.map {
            OutgoingMessage(topic: topic, destination: .partitioned(by: $0), key: Array("unrelated".utf8), value: [])
        }
        let partitions = try await send(messages, with: producer).map(\.partition)
        try expectEqual(partitions, keys.map { partitioner.partition(of: $0, partitions: 4) }, "the partitions")
    }
}
