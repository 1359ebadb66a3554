import Dionysus

extension BrokerConformance {
    static let topicChecks: [Check] = [
        Check("Topics are created once and described", needsTopicCreation: true) { trial in
            let names = [BrokerHarness.freshName(), BrokerHarness.freshName()]
            try await trial.broker.createTopics([
                TopicSpecification(name: names[0], partitions: 3),
                TopicSpecification(name: names[1], partitions: 1),
            ])
            try await trial.broker.createTopics([TopicSpecification(name: names[0], partitions: 5)])
            let described = try await trial.broker.describeTopics(names)
            try expectEqual(
                Set(described),
                [TopicDescription(name: names[0], partitions: 3), TopicDescription(name: names[1], partitions: 1)],
                "the topics"
            )
            let all = try await trial.broker.describeTopics(nil)
            try expect(all.contains(described[0]), "all topics to contain \(described[0].name)", "they didn't")
        },

        Check("Topic configurations are returned as far as they are known", needsTopicCreation: true) { trial in
            let topic = BrokerHarness.freshName()
            try await trial.broker.createTopics([
                TopicSpecification(name: topic, partitions: 1, settings: ["cleanup.policy": "compact"])
            ])
            let configurations = try await trial.broker.configurations(of: [topic, BrokerHarness.freshName()])
            try expectEqual(Array(configurations.keys), [topic], "the topics")
            if let factor = configurations[topic]?.replicationFactor {
                try expectEqual(factor, 1, "the replication factor")
            }
            if let settings = configurations[topic]?.settings {
                try expectEqual(settings["cleanup.policy"], "compact", "the cleanup policy")
            }
        },

        Check("A missing topic is not described", needsTopicCreation: true) { trial in
            let topic = try await trial.makeTopic(partitions: 2)
            let described = try await trial.broker.describeTopics([topic, BrokerHarness.freshName()])
            try expectEqual(described, [TopicDescription(name: topic, partitions: 2)], "the topics")
        },

        Check("A topic that is created after a consumer has joined is read", needsTopicCreation: true) { trial in
            let present = try await trial.makeTopic(partitions: 1)
            let later = BrokerHarness.freshName()
            var reader = try await trial.makeReader(of: [present, later])
            try await reader.join(owning: 1)
            try await trial.broker.createTopics([TopicSpecification(name: later, partitions: 1)])
            try await trial.send(0..<5, to: TopicPartition(later, 0))
            let messages = try await reader.read(5)
            try expectEqual(messages.map(\.source.topic), Array(repeating: later, count: 5), "the topics")
            await reader.close()
        },

        Check("Topics are read by pattern", needsTopicCreation: true) { trial in
            let prefix = BrokerHarness.freshName("pattern")
            let names = ["\(prefix)-one", "\(prefix)-two", "other-\(prefix)"]
            try await trial.broker.createTopics(names.map { TopicSpecification(name: $0, partitions: 1) })
            for (number, name) in names.enumerated() {
                try await trial.send(number..<number + 1, to: TopicPartition(name, 0))
            }
            var reader = try await trial.makeReader(of: [], patterns: ["^\(prefix)-.*"])
            let messages = try await reader.read(2)
            try expectEqual(messages.compactMap(\.number).sorted(), [0, 1], "the numbers of the messages")
            try expectEqual(reader.owned.count, 2, "the number of partitions")
            await reader.close()
        },

        Check("The bounds of partitions are returned, without missing partitions") { trial in
            let topic = try await trial.makeTopic(partitions: 2)
            try await trial.send(0..<7, to: TopicPartition(topic, 1))
            let bounds = try await trial.broker.offsets(
                of: [TopicPartition(topic, 0), TopicPartition(topic, 1), TopicPartition(topic, 99)]
            )
            try expectEqual(
                bounds,
                [
                    TopicPartition(topic, 0): OffsetRange(first: 0, next: 0),
                    TopicPartition(topic, 1): OffsetRange(first: 0, next: 7),
                ],
                "the bounds"
            )
        },

        Check(
            "The offset of a time is that of the first message with this time or a later one, otherwise the next offset",
            needsTimes: true
        ) { trial in
            let topic = try await trial.makeTopic(partitions: 2)
            let (full, empty) = (TopicPartition(topic, 0), TopicPartition(topic, 1))
            try await trial.send(0..<3, to: full)
            var reader = try await trial.makeReader(of: [topic])
            guard let last = try await reader.read(3).last else { return }
            await reader.close()
            // Ensures a later time than the previous messages': Kafka's times have millisecond precision.
            let second = last.timestamp + 0.001
            while Timestamp.now <= second + 0.001 { await Task.yield() }
            try await trial.send(3..<5, to: full)
            let partitions = [full, empty, TopicPartition(topic, 99)]
            for (time, offset) in [(Timestamp(microseconds: 0), 0), (second, 3), (Timestamp.now + 3_600, 5)] {
                let offsets = try await trial.broker.offsets(of: partitions, at: time)
                try expectEqual(offsets, [full: Int64(offset), empty: 0], "the offsets at \(time)")
            }
            var later = try await trial.makeReader(of: [topic], at: .time(second))
            try expectEqual(try await later.read(2).compactMap(\.number), [3, 4], "the messages from \(second) on")
            await later.close()
        },
    ]
}
