import Dionysus
import DionysusProducer
import TestSupport
import Testing

@testable import Rentals

/// Messages without a value, after which a compacted topic forgets a record.
@Suite struct TombstoneTests {
    @Test("every partition gets a null value under the record's key", arguments: TestDatabaseKind.available)
    func allPartitions(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.makeTopics()
            let tombstones = try await harness.tombstones.publish(Rental.self, id: "2", topic: "v3_rentals")
            #expect(tombstones.map(\.partition) == (0..<4).map { TopicPartition("v3_rentals", $0) })
            let messages = try await readRaw("v3_rentals", from: harness.broker)
            #expect(messages.map(\.source.partition) == [0, 1, 2, 3])
            #expect(messages.allSatisfy { $0.value == nil && $0.key == Array("Rental:2".utf8) })
            // One event, however many partitions it goes to.
            let ids = Set(messages.flatMap(\.headers).filter { $0.name == "dionysus-event-id" }.map(\.value))
            #expect(ids.count == 1)
            let again = try await harness.tombstones.publish("Rental", id: "02", topic: "v3_rentals")
            #expect(again.map(\.offset) == [1, 1, 1, 1])
            let more = try await readRaw("v3_rentals", from: harness.broker)
            #expect(Set(more.map(\.key)) == [Array("Rental:2".utf8)])
            #expect(Set(more.flatMap(\.headers).filter { $0.name == "dionysus-event-id" }.map(\.value)).count == 2)
        }
    }

    @Test(
        "with a partition key it goes where dionysus-rb's went, under the same key, but really has no value",
        arguments: TestDatabaseKind.available
    )
    func golden(_ kind: TestDatabaseKind) async throws {
        let golden = try #require(try goldenMessages("18_tombstone").first)
        // The four characters that dionysus-rb sends.
        #expect(golden.value == .null)
        try await ProducerHarness.run(kind) { harness in
            try await harness.makeTopics()
            let tombstones = try await harness.tombstones.publish(
                "Rental",
                id: "2",
                topic: golden.topic,
                partitionKey: "1"
            )
            #expect(tombstones.map(\.partition) == [TopicPartition(golden.topic, golden.partition)])
            let messages = try await readRaw(golden.topic, from: harness.broker)
            #expect(messages.map { String(decoding: $0.key ?? [], as: UTF8.self) } == [golden.key])
            #expect(messages.map(\.value) == [nil])
        }
    }

    @Test("the genesis topic gets them too", arguments: TestDatabaseKind.available)
    func genesisReplica(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.makeTopics()
            let tombstones = try await harness.tombstones.publish(Account.self, id: "7", topic: "v3_accounts")
            #expect(tombstones.filter { $0.partition.topic == "v3_accounts" }.count == 4)
            #expect(tombstones.filter { $0.partition.topic == "v3_accounts_genesis" }.count == 4)
            let one = try await harness.tombstones.publish(
                Account.self,
                id: "7",
                topic: "v3_accounts",
                partitionKey: "7"
            )
            #expect(one.map(\.partition.topic) == ["v3_accounts", "v3_accounts_genesis"])
            #expect(Set(one.map(\.partition.partition)).count == 1)
        }
    }

    @Test(
        "a record that is visible or has changes to be published is refused unless forced; a deleted one is not",
        arguments: TestDatabaseKind.available
    )
    func alive(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.makeTopics()
            try await harness.write(CaptureTests.account, CaptureTests.rental)
            let alive = await #expect(throws: DionysusError.self) {
                try await harness.tombstones.publish(Rental.self, id: "1", topic: "v3_rentals")
            }
            #expect(alive?.code == .conflict && alive?.message.contains("still there") == true)

            try await harness.write("UPDATE rentals SET canceled_at = '2026-01-01T00:00:00Z'")
            let pending = await #expect(throws: DionysusError.self) {
                try await harness.tombstones.publish(Rental.self, id: "1", topic: "v3_rentals")
            }
            #expect(pending?.code == .conflict && pending?.message.contains("yet to be published") == true)
            #expect(try await readRaw("v3_rentals", from: harness.broker).isEmpty)

            try await harness.relay()
            #expect(try await harness.tombstones.publish(Rental.self, id: "1", topic: "v3_rentals").count == 4)
            // The version is above that of everything that was published before.
            let last = try await harness.messages(in: "v3_rentals").filter { $0.value == .null }
            let before = try await harness.messages(in: "v3_rentals").filter { $0.value != .null }
            #expect((last.map(\.version).min() ?? 0) > (before.map(\.version).max() ?? 0))

            try await harness.write("UPDATE rentals SET canceled_at = NULL")
            #expect(
                try await harness.tombstones.publish(Rental.self, id: "1", topic: "v3_rentals", force: true).count == 4
            )
        }
    }

    @Test(
        "unknown topics and models, parts of other models and malformed ids are refused with the ones that there are",
        arguments: TestDatabaseKind.available,
        [
            ("v3_ghosts", "Rental", "1", "the topics are v3_accounts, v3_bookings, v3_rentals"),
            ("v3_rentals", "Ghost", "1", "its models are Rental"),
            ("v3_bookings", "BookingsFee", "1", "only as a part of Booking"),
            ("v3_rentals", "Rental", "one", "'one' can't be a primary key of Rental, which is of type integer"),
            ("v3_rentals", "Rental", "", "can't be a primary key of Rental"),
        ]
    )
    func refusals(_ kind: TestDatabaseKind, _ input: (topic: String, model: String, id: String, message: String))
        async throws
    {
        try await ProducerHarness.run(kind) { harness in
            let error = await #expect(throws: DionysusError.self) {
                try await harness.tombstones.publish(input.model, id: input.id, topic: input.topic)
            }
            #expect(error?.description.contains(input.message) == true, "\(error as Any)")
        }
    }

    @Test("a topic that the broker doesn't have is not created by a tombstone", arguments: TestDatabaseKind.available)
    func missingTopic(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            let error = await #expect(throws: DionysusError.self) {
                try await harness.tombstones.publish(Rental.self, id: "1", topic: "v3_rentals")
            }
            #expect(error?.code == .unknownTopic)
            let topics = try await harness.broker.describeTopics(nil)
            #expect(topics.isEmpty)
        }
    }
}

extension ProducerHarness {
    fileprivate var tombstones: TombstonePublisher {
        TombstonePublisher(registry, database: database, broker: broker, settings: settings)
    }

    fileprivate func makeTopics() async throws {
        try await broker.createTopics(BookingSync().publishedTopics(settings).map(\.specification))
    }
}
