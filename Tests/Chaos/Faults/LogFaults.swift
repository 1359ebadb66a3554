import Dionysus
import DionysusEmbedded
import Foundation

extension Fault {
    static let logFaults = [
        Fault(
            name: "partitions-added",
            summary: "topics get more partitions, so that keys move",
            systems: [.embedded],
            blows: 0,
            losesLanes: false
        ) { system, random in
            guard let path = system.places.directBroker.split(separator: ":", maxSplits: 1).last else { return }
            let broker = try EmbeddedBroker(path: String(path))
            for topic in ["v3_rentals", "v3_bookings", "v3_accounts"].shuffled(using: &random) {
                let count = try await broker.describeTopics([topic]).first?.partitions ?? 0
                try await broker.addPartitions(to: topic, upTo: count + Int32.random(in: 1...3, using: &random))
                try await pause(500...1500, &random)
            }
            await broker.close()
        },
        Fault(
            name: "topics-deleted",
            summary: "all topics are recreated, consumers refuse to continue, an operator restores the replica",
            systems: .everywhere,
            patience: sessionTimeout,
            blows: 0,
            losesLanes: false
        ) { system, _ in
            try await system.endAll([.consumer, .counter, .relay])
            try await system.loseLog()
            // Once the new topics are as long as the old ones, they can't be distinguished.
            for role in [Role.consumer, .counter] { try await system.start(role) }
            try await system.awaitRefusal()
            for _ in 1...2 { try await system.start(.relay) }
            try await system.restore()
        },
        Fault(
            name: "topic-unknown",
            summary: "the broker does not know a topic for seconds",
            systems: .onServers,
            patience: firstRetry,
            blows: 1,
            losesLanes: false
        ) { system, random in
            let topic = ["v3_rentals", "v3_bookings"].randomElement(using: &random) ?? "v3_rentals"
            let unknownTopic: Int32 = 3
            system.cluster?.setError(unknownTopic, of: topic)
            // Clients that reconnect query the topics.
            system.producerProxy?.cut()
            try await pause(3000...6000, &random)
            system.cluster?.setError(0, of: topic)
        },
        Fault(
            name: "retention",
            summary: "consumers are down until their messages are deleted, and an operator restores the replica",
            systems: .everywhere,
            patience: sessionTimeout,
            blows: 0,
            losesLanes: false
        ) { system, random in
            try await system.endAll([.consumer, .counter])
            try await pause(1000...2000, &random)
            try await system.forgetMessages()
            try await system.noteLoss()
            for role in [Role.consumer, .counter] { try await system.start(role) }
            try await system.awaitRefusal()
            try await system.restore()
        },
    ]
}

extension System {
    /// The time for consumers to detect missing messages: they have to join their group first.
    private static let noticing = Duration.seconds(40)

    /// How far a Kafka cluster deletes old messages.
    static let forgettingPartition = TopicPartition("v3_rentals", 0)

    fileprivate func endAll(_ roles: [Role]) async throws {
        let faults = await end(roles, within: .seconds(20))
        guard faults.isEmpty else { throw ChaosError(faults.joined(separator: "; ")) }
    }

    /// Makes the log delete its oldest messages.
    fileprivate func forgetMessages() async throws {
        if let path = places.directBroker.split(separator: ":", maxSplits: 1).last, kind == .embedded {
            let broker = try EmbeddedBroker(path: String(path), options: EmbeddedLogOptions(retentionBytes: 1))
            _ = try await broker.enforceRetention()
            await broker.close()
        } else {
            // The cluster keeps about 5 MiB of each partition.
            let broker = try openBroker()
            let producer = try await broker.makeProducer(ProducerOptions(clientID: "flood"))
            let message = OutgoingMessage(
                topic: Self.forgettingPartition.topic,
                destination: .partition(Self.forgettingPartition.partition),
                key: Poison.key,
                value: Array(repeating: UInt8(ascii: "x"), count: 900_000)
            )
            for result in await producer.send(Array(repeating: message, count: 8)) { _ = try result.get() }
            await producer.close(deadline: .seconds(5))
            await broker.close()
        }
    }

    /// Waits until all consumers have stopped because messages are missing.
    fileprivate func awaitRefusal() async throws {
        let deadline = ContinuousClock.now + Self.noticing
        for role in [Role.consumer, .counter] {
            for process in all(role) {
                while process.isRunning, .now < deadline { try await Task.sleep(for: .milliseconds(100)) }
                guard !process.isRunning else {
                    throw ChaosError("a \(role.rawValue) has not noticed that messages are missing")
                }
                let result = await process.result()
                guard result.status == 1, result.errors.contains("messages may have been missed") else {
                    throw ChaosError(
                        "a \(role.rawValue) ended with status \(result.status): \(result.errors.suffix(600))"
                    )
                }
            }
        }
        _ = await end([.consumer, .counter], within: .zero)
    }

    /// Performs the operator's steps from the manual after a loss of messages.
    fileprivate func restore() async throws {
        for topic in ["v3_accounts", "v3_rentals", "v3_bookings"] { try await succeed("reset", "--topic", topic) }
        try await empty(
            places.directReplica,
            [
                "accounts", "rentals", "bookings", "bookings_fees", "dionysus_tombstones", "dionysus_events",
                "dionysus_failures",
            ]
        )
        try await empty(
            places.directCounts,
            ["effects", "dionysus_offsets", "dionysus_lane_offsets", "dionysus_log_losses"]
        )
        for (topic, model) in [("v3_accounts", "Account"), ("v3_rentals", "Rental"), ("v3_bookings", "Booking")] {
            try await succeed("genesis", "start", topic, model)
        }
        for role in [Role.consumer, .consumer, .counter, .counter] { try start(role) }
    }

    private nonisolated func empty(_ url: String, _ tables: [String]) async throws {
        let database = try Self.open(url)
        _ = try await database.transaction(.write) { transaction in
            try transaction.run(tables.map { "DELETE FROM \(identifier: $0)" as SQL })
        }
        await database.close()
    }
}
