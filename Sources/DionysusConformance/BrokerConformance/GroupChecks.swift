import Dionysus

extension BrokerConformance {
    static let groupChecks: [Check] = [
        Check("Each group reads all messages") { trial in
            let topic = try await trial.makeTopic(partitions: 2)
            try await trial.send(0..<10, to: TopicPartition(topic, 0))
            try await trial.send(10..<20, to: TopicPartition(topic, 1))
            var one = try await trial.makeReader(of: [topic])
            var other = try await trial.makeReader(of: [topic])
            for messages in [try await one.read(20), try await other.read(20)] {
                try expectEqual(messages.compactMap(\.number).sorted(), Array(0..<20), "what a group has read")
            }
            await one.close()
            await other.close()
        },

        Check("A group continues from the offsets that its application has stored") { trial in
            let topic = try await trial.makeTopic(partitions: 1)
            let group = BrokerHarness.freshName("group")
            try await trial.send(0..<10, to: TopicPartition(topic, 0))
            var first = try await trial.makeReader(of: [topic], group: group)
            _ = try await first.read(1)
            // Offsets committed to the broker are for tools that show lag: reading must not resume from them.
            try await first.consumer.commit([TopicPartition(topic, 0): 9])
            await first.close()
            var second = try await trial.makeReader(of: [topic], group: group, at: .offset(4))
            let messages = try await second.read(6)
            try expectEqual(messages.map(\.offset), Array(4..<10), "the offsets")
            await second.close()
        },

        Check("A group's commits can be read without joining it, with their metadata") { trial in
            let topic = try await trial.makeTopic(partitions: 2)
            let partition = TopicPartition(topic, 0)
            var options = ConsumerOptions(
                clientID: "one",
                groupID: BrokerHarness.freshName("group"),
                topics: [topic],
                settings: trial.harness.consumerSettings,
                metadata: "of é one"
            )
            let broker = trial.broker
            let partitions = [partition, TopicPartition(topic, 1), TopicPartition(topic, 7)]
            try expectEqual(try await broker.committedPositions(of: options, in: partitions), [:], "what is committed")
            try await trial.send(0..<3, to: partition)
            var member = TrialReader(
                consumer: try await broker.makeConsumer(options),
                position: .earliest,
                patience: trial.harness.patience
            )
            _ = try await member.read(3)
            try await member.consumer.commit([partition: 3])
            await member.close()
            let expected = [partition: CommittedPosition(offset: 3, metadata: "of é one")]
            let deadline = ContinuousClock.now + trial.harness.patience
            var committed: [TopicPartition: CommittedPosition] = [:]
            while committed != expected, .now < deadline {
                committed = try await broker.committedPositions(of: options, in: partitions)
            }
            try expectEqual(committed, expected, "what is committed")
            options.groupID = BrokerHarness.freshName("group")
            try expectEqual(try await broker.committedPositions(of: options, in: partitions), [:], "another group's")
        },

        Check("Partitions move to a joining member; none is lost or has two owners") { trial in
            let topic = try await trial.makeTopic(partitions: 4)
            let group = BrokerHarness.freshName("group")
            let ledger = GroupLedger()
            let producer = try await trial.makeProducer()
            let partitions = (0..<4 as Range<Int32>).map { TopicPartition(topic, $0) }
            try await trial.send(
                (0..<400).map { OutgoingMessage(numbered: $0, to: partitions[$0 % 4]) },
                with: producer
            )

            let one = try await trial.makeMember("one", of: topic, group: group, ledger: ledger)
            try await trial.drive([one], until: "one member to read 400 messages") { $0.counts["one"] == 400 }

            let two = try await trial.makeMember("two", of: topic, group: group, ledger: ledger)
            try await trial.drive([one, two], until: "each of two members to own two of four partitions") {
                $0.owned(by: "one") == 2 && $0.owned(by: "two") == 2
            }
            try await trial.send(
                (0..<400).map { OutgoingMessage(numbered: $0, to: partitions[$0 % 4]) },
                with: producer
            )
            try await trial.drive([one, two], until: "two members to read 800 messages") { $0.total == 800 }
            try expectEqual(ledger.current.counts, ["one": 600, "two": 200], "what the members have read")
            await two.close()
            await one.close()
        },

        Check("The partitions of a member that leaves go to the others") { trial in
            let topic = try await trial.makeTopic(partitions: 2)
            let group = BrokerHarness.freshName("group")
            let ledger = GroupLedger()
            let producer = try await trial.makeProducer()
            let partitions = (0..<2 as Range<Int32>).map { TopicPartition(topic, $0) }
            let one = try await trial.makeMember("one", of: topic, group: group, ledger: ledger)
            let two = try await trial.makeMember("two", of: topic, group: group, ledger: ledger)
            try await trial.drive([one, two], until: "each of two members to own one of two partitions") {
                $0.owned(by: "one") == 1 && $0.owned(by: "two") == 1
            }
            try await trial.send((0..<20).map { OutgoingMessage(numbered: $0, to: partitions[$0 % 2]) }, with: producer)
            try await trial.drive([one, two], until: "two members to read 20 messages") { $0.total == 20 }

            await one.close()
            try await trial.drive([two], until: "the other member to own both partitions") { $0.owned(by: "two") == 2 }
            try await trial.send((0..<20).map { OutgoingMessage(numbered: $0, to: partitions[$0 % 2]) }, with: producer)
            try await trial.drive([two], until: "the other member to read 20 more messages") { $0.total == 40 }
            await two.close()
        },
    ]
}
