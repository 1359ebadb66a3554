import Dionysus

extension BrokerConformance {
    static let readingChecks: [Check] = [
        Check("Messages of a partition are read in the order in which they were sent") { trial in
            let topic = try await trial.makeTopic(partitions: 2)
            for number in 0..<5 {
                for partition in 0..<2 as Range<Int32> {
                    try await trial.send(number * 100..<(number + 1) * 100, to: TopicPartition(topic, partition))
                }
            }
            var reader = try await trial.makeReader(of: [topic])
            let messages = try await reader.read(1_000)
            for partition in 0..<2 as Range<Int32> {
                let part = messages.filter { $0.source == TopicPartition(topic, partition) }
                try expectEqual(part.map(\.offset), Array(0..<500), "the offsets in partition \(partition)")
                try expectEqual(part.map(\.number), Array(0..<500), "the numbers in partition \(partition)")
            }
            await reader.close()
        },

        Check("Keys, values and headers arrive as sent, including null and empty ones") { trial in
            let topic = try await trial.makeTopic(partitions: 1)
            let everyByte = [UInt8](0...255)
            let contents: [(key: [UInt8]?, value: [UInt8]?, headers: [MessageHeader])] = [
                (Array("Rental:1".utf8), Array("{}".utf8), [MessageHeader("dionysus-version", Array("12".utf8))]),
                (everyByte, everyByte, [MessageHeader("every", everyByte), MessageHeader("none", [])]),
                (Array("tombstone".utf8), nil, []),
                (Array("empty".utf8), [], []),
                (nil, Array("without a key".utf8), []),
                (
                    Array("twice".utf8), [0],
                    [MessageHeader("name", [1]), MessageHeader("é", [2]), MessageHeader("name", [3])]
                ),
            ]
            let before = Timestamp.now
            let producer = try await trial.makeProducer()
            let messages = contents.map {
                OutgoingMessage(
                    topic: topic,
                    destination: .partition(0),
                    key: $0.key,
                    value: $0.value,
                    headers: $0.headers
                )
            }
            try await trial.send(messages, with: producer)
            let after = Timestamp.now
            var reader = try await trial.makeReader(of: [topic])
            let read = try await reader.read(contents.count)
            try expectEqual(read.count, contents.count, "the number of messages")
            for (message, content) in zip(read, contents) {
                try expectEqual(message.key, content.key, "the key at offset \(message.offset)")
                try expectEqual(message.value, content.value, "the value at offset \(message.offset)")
                try expectEqual(message.headers, content.headers, "the headers at offset \(message.offset)")
                // Kafka's times have millisecond precision.
                let range = before.microseconds / 1_000...after.microseconds / 1_000
                try expect(
                    range.contains(message.timestamp.microseconds / 1_000),
                    "a timestamp between \(before) and \(after)",
                    "it was \(message.timestamp)"
                )
            }
            await reader.close()
        },

        Check("Reading starts at a given offset") { trial in
            let topic = try await trial.makeTopic(partitions: 1)
            try await trial.send(0..<10, to: TopicPartition(topic, 0))
            var reader = try await trial.makeReader(of: [topic], at: .offset(7))
            let messages = try await reader.read(3)
            try expectEqual(messages.map(\.offset), [7, 8, 9], "the offsets")
            await reader.close()
        },

        Check("Reading from the latest position starts after all existing messages") { trial in
            let topic = try await trial.makeTopic(partitions: 1)
            try await trial.send(0..<3, to: TopicPartition(topic, 0))
            var reader = try await trial.makeReader(of: [topic], at: .latest)
            try await reader.join(owning: 1)
            let deadline = ContinuousClock.now + trial.harness.patience
            // A broker may look the latest offset up after `start`, so messages are sent until one arrives.
            var first: ConsumedMessage?
            var number = 3
            while first == nil, .now < deadline {
                try await trial.send(number..<number + 1, to: TopicPartition(topic, 0))
                number += 1
                let event = try await reader.nextEvent(until: min(deadline, .now + .seconds(1)))
                if case .messages(let messages) = event { first = messages.first }
            }
            guard let first else {
                throw ConformanceFailure(
                    expected: "a message within \(trial.harness.patience)",
                    actual: "there was none"
                )
            }
            try expect(first.offset >= 3, "a message sent after the start", "offset \(first.offset) was read")
            await reader.close()
        },

        Check("A seek continues at another offset and drops buffered messages") { trial in
            let topic = try await trial.makeTopic(partitions: 1)
            let partition = TopicPartition(topic, 0)
            try await trial.send(0..<20, to: partition)
            var reader = try await trial.makeReader(of: [topic])
            _ = try await reader.read(1)
            try await reader.consumer.seek(partition, to: .offset(12))
            let later = try await reader.read(8)
            try expectEqual(later.map(\.offset), Array(12..<20), "the offsets after seeking to 12")
            try await reader.consumer.seek(partition, to: .earliest)
            let all = try await reader.read(20)
            try expectEqual(all.map(\.offset), Array(0..<20), "the offsets after seeking to the earliest")
            await reader.close()
        },

        Check("A paused partition is not read until it is resumed, but others are") { trial in
            let topic = try await trial.makeTopic(partitions: 2)
            let paused = TopicPartition(topic, 0)
            var reader = try await trial.makeReader(of: [topic])
            try await reader.join(owning: 2)
            try await reader.consumer.pause([paused])
            try await trial.send(0..<5, to: paused)
            try await trial.send(0..<5, to: TopicPartition(topic, 1))
            let others = try await reader.read(5)
            try expectEqual(others.map(\.source.partition), [1, 1, 1, 1, 1], "the partitions that were read")
            try await reader.consumer.resume([paused])
            let rest = try await reader.read(5)
            try expectEqual(rest.map(\.source), Array(repeating: paused, count: 5), "the partitions after resuming")
            try expectEqual(rest.map(\.offset), Array(0..<5), "the offsets after resuming")
            await reader.close()
        },

        Check("A position that isn't in the log is reported, and a seek continues from there") { trial in
            let topic = try await trial.makeTopic(partitions: 1)
            let partition = TopicPartition(topic, 0)
            try await trial.send(0..<5, to: partition)
            var reader = try await trial.makeReader(of: [topic], at: .offset(1_000))
            let deadline = ContinuousClock.now + trial.harness.patience
            var reported: OffsetRange?
            while reported == nil, let event = try await reader.nextEvent(until: deadline) {
                switch event {
                case .outOfRange(let source, let range) where source == partition: reported = range
                case .messages(let messages):
                    throw ConformanceFailure(
                        expected: "the position 1000 to be reported as out of range",
                        actual: "\(messages.count) messages were read"
                    )
                default: break
                }
            }
            try expectEqual(reported, OffsetRange(first: 0, next: 5), "the range that was reported")
            try await reader.consumer.seek(partition, to: .earliest)
            let messages = try await reader.read(5)
            try expectEqual(messages.map(\.offset), Array(0..<5), "the offsets after seeking")
            await reader.close()
        },

        Check("Named partitions are read without a group, by several readers at once") { trial in
            let topic = try await trial.makeTopic(partitions: 3)
            let named = [TopicPartition(topic, 0), TopicPartition(topic, 2)]
            for partition in 0..<3 as Range<Int32> { try await trial.send(0..<5, to: TopicPartition(topic, partition)) }
            var readers = [
                try await trial.makeReader(of: named), try await trial.makeReader(of: named, at: .offset(3)),
            ]
            for index in readers.indices {
                try await readers[index].join(owning: 2)
                try expectEqual(readers[index].owned, Set(named), "the assigned partitions")
            }
            let firsts = [0, 3] as [Int64]
            for (index, first) in zip(readers.indices, firsts) {
                let messages = try await readers[index].read(2 * Int(5 - first))
                for partition in named {
                    let offsets = messages.filter { $0.source == partition }.map(\.offset)
                    try expectEqual(offsets, Array(first..<5), "the offsets in \(partition)")
                }
            }
            try await trial.send(5..<6, to: TopicPartition(topic, 1))
            try await trial.send(5..<6, to: named[1])
            for index in readers.indices {
                try await readers[index].consumer.commit([named[1]: 6])
                let later = try await readers[index].read(1)
                try expectEqual(later.map(\.source), [named[1]], "the partition of the message that was sent later")
                try await readers[index].consumer.seek(named[0], to: .offset(4))
                let again = try await readers[index].read(1)
                try expectEqual(again.map(\.offset), [4], "the offset after a seek")
                await readers[index].close()
            }
        },

        Check("No more messages than requested are returned at once") { trial in
            let topic = try await trial.makeTopic(partitions: 1)
            try await trial.send(0..<20, to: TopicPartition(topic, 0))
            var reader = try await trial.makeReader(of: [topic])
            try await reader.join(owning: 1)
            let deadline = ContinuousClock.now + trial.harness.patience
            var offsets: [Int64] = []
            while offsets.count < 20 {
                let event = try await reader.consumer.next(maxMessages: 3, timeout: deadline - .now)
                guard case .messages(let messages) = event else {
                    throw ConformanceFailure(expected: "20 messages", actual: "there were \(offsets.count)")
                }
                try expect((1...3).contains(messages.count), "1 to 3 messages", "there were \(messages.count)")
                offsets += messages.map(\.offset)
            }
            try expectEqual(offsets, Array(0..<20), "the offsets")
            await reader.close()
        },

        Check("No more bytes than requested are returned at once, except for the last message") { trial in
            let topic = try await trial.makeTopic(partitions: 2)
            for partition in 0..<2 as Range<Int32> { try await trial.send(0..<5, to: TopicPartition(topic, partition)) }
            var reader = try await trial.makeReader(of: [topic])
            try await reader.join(owning: 2)
            let deadline = ContinuousClock.now + trial.harness.patience
            for _ in 0..<10 {
                let event = try await reader.consumer.next(maxMessages: 10, maxBytes: 1, timeout: deadline - .now)
                guard case .messages(let messages) = event, messages.count == 1 else {
                    throw ConformanceFailure(
                        expected: "one message",
                        actual: "there was \(event.map { "\($0)" } ?? "none")"
                    )
                }
            }
            await reader.close()
        },

        Check("Waiting for an event returns nil after the timeout") { trial in
            let topic = try await trial.makeTopic(partitions: 1)
            var reader = try await trial.makeReader(of: [topic])
            try await reader.join(owning: 1)
            let event = try await reader.consumer.next(maxMessages: 10, timeout: .milliseconds(50))
            try expect(event == nil, "no event", "there was \(event.map { "\($0)" } ?? "none")")
            await reader.close()
        },

        Check("A closed consumer throws `closed`") { trial in
            let topic = try await trial.makeTopic(partitions: 1)
            let reader = try await trial.makeReader(of: [topic])
            await reader.close()
            do {
                _ = try await reader.consumer.next(maxMessages: 10, timeout: trial.harness.patience)
            } catch let error as DionysusError where error.code == .closed {
                return
            }
            throw ConformanceFailure(expected: "an error with the code closed", actual: "there was none")
        },
    ]
}
