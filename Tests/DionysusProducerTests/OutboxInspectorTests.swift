import Dionysus
import Synchronization
import TestSupport
import Testing

@testable import DionysusProducer
@testable import Rentals

/// Looking into the outbox, and mending what is stuck in it.
@Suite struct OutboxInspectorTests {
    static let rentals: SQL =
        "INSERT INTO rentals (id, account_id, name) VALUES (1, 1, 'bad'), (2, 1, 'good'), (3, 1, 'fine')"

    @Test(
        "a record that can't be serialized is retried, then parked; only its own rows wait; retried, it goes on",
        arguments: TestDatabaseKind.available
    )
    func story(_ kind: TestDatabaseKind) async throws {
        let isMended = Switch()
        try await ProducerHarness.run(kind, settings: .twoAttempts, producer: MendableSync(isMended)) { harness in
            let inspector = OutboxInspector(database: harness.database)
            try await harness.write(CaptureTests.account, Self.rentals, "UPDATE rentals SET bedrooms = 2 WHERE id = 1")
            try await harness.relayOnce()
            try await harness.postponeRetries()
            #expect(
                try await harness.events(in: "v3_rentals") == ["rental_created Rental:2", "rental_created Rental:3"]
            )
            let failed = try await inspector.entries(OutboxFilter(scope: .failed))
            #expect(failed.map(\.recordID) == ["1"] && failed.first?.state == .retrying)
            #expect(failed.first?.attempts == 1 && failed.first?.errorClass == "application")
            #expect(try await inspector.entries(OutboxFilter(scope: .parked)).isEmpty)
            // What waits behind it has not failed.
            #expect(try await inspector.entries().map(\.state) == [.retrying, .pending])

            // Another record isn't held up by the retry that is to come.
            try await harness.write("UPDATE rentals SET bedrooms = 3 WHERE id = 2")
            try await harness.relay()
            #expect(try await harness.events(in: "v3_rentals").last == "rental_updated Rental:2")

            try await harness.makeRetriesDue()
            try await harness.relay()
            let parked = try await inspector.entries(OutboxFilter(scope: .parked, modelName: "Rental"))
            let id = try #require(parked.first).id
            #expect(parked.count == 1 && parked.first?.attempts == 2 && parked.first?.retryAt == nil)

            isMended.turnOn()
            try await harness.makeRetriesDue()
            try await harness.relay()
            #expect(try await harness.events(in: "v3_rentals").last == "rental_updated Rental:1")

            #expect(try await inspector.retry([id]).map(\.outcome) == [.done])
            #expect(try await inspector.entry(id)?.attempts == 0)
            try await harness.relay()
            // The record's present state, with a version above that of its later row.
            let messages = try await harness.messages(in: "v3_rentals").filter { $0.key == "Rental:1" }
            #expect(messages.map(\.event) == ["rental_updated", "rental_created"])
            #expect(messages.allSatisfy { $0.payload["bedrooms"] == .integer(2) })
            try #require(messages.count == 2)
            #expect(messages[1].version > messages[0].version)
            #expect(try await inspector.entries().isEmpty)
            #expect(try await inspector.entry(id)?.state == .published)
        }
    }

    @Test(
        "attempts are 10, 20, 40 … seconds apart, up to the longest delay",
        arguments: TestDatabaseKind.available
    )
    func delays(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.maxRetryDelay = .seconds(30)
        try await ProducerHarness.run(kind, settings: settings, producer: MendableSync(Switch())) { harness in
            let inspector = OutboxInspector(database: harness.database)
            try await harness.write(CaptureTests.account, Self.rentals)
            for expected in [10.0, 20, 30, 30] {
                try await harness.relayOnce()
                let row = try #require(try await inspector.entries(OutboxFilter(scope: .failed)).first)
                let delay = try #require(row.retryAt).microseconds - (try #require(row.failedAt).microseconds)
                // Both are the clock's time, the second looked up a moment later.
                #expect(abs(Double(delay) / 1e6 - expected) < 1)
                try await harness.makeRetriesDue()
            }
        }
    }

    @Test(
        "a parked row below its lane's low-water mark is found by the relay that runs when it is retried",
        arguments: TestDatabaseKind.available
    )
    func lowWaterMark(_ kind: TestDatabaseKind) async throws {
        let isMended = Switch()
        var settings = ProducerSettings.twoAttempts
        settings.maxAttempts = 1
        try await ProducerHarness.run(kind, settings: settings, producer: MendableSync(isMended)) { harness in
            let inspector = OutboxInspector(database: harness.database)
            try await harness.write(CaptureTests.account, Self.rentals)
            try await harness.relay()
            let parked = try #require(try await inspector.entries(OutboxFilter(scope: .parked)).first)
            // As a lane's mark is once everything around the parked row has been settled.
            try await harness.write("UPDATE dionysus_lanes SET low_water = \(parked.id + 2)")
            isMended.turnOn()
            try await inspector.retry([parked.id])
            let marks = try await harness.database.transaction(.snapshot) { transaction in
                try transaction.run("SELECT min(low_water), max(low_water) FROM dionysus_lanes").first
                    .map { (try $0.integer(0), try $0.integer(1)) }
            }
            // Its own lane's, and no other.
            #expect(marks?.0 == parked.id - 1)
            #expect(marks?.1 == parked.id + 2)
            #expect(try await harness.visibleLanes() == 1)
            try await harness.relay()
            #expect(try await harness.events(in: "v3_rentals").last == "rental_created Rental:1")
        }
    }

    @Test(
        "a discarded row is kept with its error and a note, and its record's later rows go on",
        arguments: TestDatabaseKind.available
    )
    func discarding(_ kind: TestDatabaseKind) async throws {
        let isMended = Switch()
        try await ProducerHarness.run(kind, producer: MendableSync(isMended)) { harness in
            let inspector = OutboxInspector(database: harness.database)
            try await harness.write(CaptureTests.account, Self.rentals, "UPDATE rentals SET bedrooms = 2 WHERE id = 1")
            try await harness.relay()
            let failed = try #require(try await inspector.entries(OutboxFilter(scope: .failed)).first)
            isMended.turnOn()
            #expect(try await inspector.discard([failed.id], reason: "a test").map(\.outcome) == [.done])
            let discarded = try #require(try await inspector.entry(failed.id))
            #expect(discarded.state == .published && discarded.failedAt != nil)
            #expect(discarded.errorMessage?.hasPrefix("discarded (a test): Rental:1 can't be serialized") == true)
            try await harness.relay()
            let events = try await harness.events(in: "v3_rentals").filter { $0.hasSuffix("Rental:1") }
            #expect(events == ["rental_updated Rental:1"])
        }
    }

    @Test(
        "only failed rows are retried and discarded, and each row's outcome is reported",
        arguments: TestDatabaseKind.available
    )
    func outcomes(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind, producer: MendableSync(Switch())) { harness in
            let inspector = OutboxInspector(database: harness.database)
            try await harness.write(CaptureTests.account, Self.rentals, "UPDATE rentals SET bedrooms = 2 WHERE id = 1")
            try await harness.relay()
            let rows = try await inspector.entries()
            let ids = try #require(rows.first).id
            let (failed, pending, published) = (ids, try #require(rows.last).id, ids + 1)
            let all = [9_999, published, pending, failed]
            #expect(try await inspector.retry(all).map(\.outcome) == [.notFound, .published, .notFailed, .done])
            #expect(try await inspector.discard(all).map(\.outcome) == [.notFound, .published, .notFailed, .done])
            #expect(try await inspector.discard([pending], force: true).map(\.outcome) == [.done])
            #expect(try await inspector.entries().isEmpty)
        }
    }

    @Test("rows are counted by topic and state, with the age of the oldest", arguments: TestDatabaseKind.available)
    func statistics(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind, settings: .twoAttempts, producer: MendableSync(Switch())) { harness in
            let inspector = OutboxInspector(database: harness.database)
            #expect(try await inspector.statistics().isEmpty)
            try await harness.write(CaptureTests.account, Self.rentals)
            try await harness.relay()
            try await harness.makeRetriesDue()
            try await harness.relay()
            try await harness.write(
                """
                INSERT INTO dionysus_outboxes (resource_class, resource_id, event_name, topic, created_at, updated_at)
                SELECT 'Rental', '4', 'rental_created', 'v3_others', created_at, created_at
                FROM dionysus_outboxes WHERE failed_at IS NOT NULL
                """
            )
            let statistics = try await inspector.statistics()
            #expect(statistics.map(\.topic) == ["v3_others", "v3_rentals"])
            let rentals = try #require(statistics.last)
            #expect(rentals.pending == 0 && rentals.retrying == 0 && rentals.parked == 1 && rentals.published == 2)
            // A parked row is not waited for.
            #expect(rentals.oldestAge == nil)
            #expect(statistics.first?.pending == 1)
            #expect(statistics.first?.oldestAge.map { $0 > .zero && $0 < .seconds(3_600) } == true)
        }
    }

    @Test("rows are filtered by topic, model and number", arguments: TestDatabaseKind.available)
    func filtering(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            let inspector = OutboxInspector(database: harness.database)
            try await harness.write(CaptureTests.account, CaptureTests.rental, CaptureTests.booking)
            #expect(try await inspector.entries().map(\.modelName) == ["Account", "Rental", "Booking"])
            #expect(try await inspector.entries(OutboxFilter(topic: "v3_rentals")).map(\.modelName) == ["Rental"])
            #expect(try await inspector.entries(OutboxFilter(modelName: "Booking")).map(\.topic) == ["v3_bookings"])
            #expect(try await inspector.entries(OutboxFilter(limit: 2)).map(\.modelName) == ["Account", "Rental"])
            try await harness.write("UPDATE accounts SET default_check_in_time = 16")
            let observed = try await inspector.entries(OutboxFilter(topic: "__outbox_observer__"))
            #expect(observed.map(\.changedColumns) == [["default_check_in_time"]])
        }
    }

    @Test("without an outbox there is advice", arguments: TestDatabaseKind.available)
    func noOutbox(_ kind: TestDatabaseKind) async throws {
        try await withTemporaryDatabase(kind) { database in
            let error = await #expect(throws: DionysusError.self) {
                try await OutboxInspector(database: database).statistics()
            }
            #expect(error?.advice == "run migrate first")
        }
    }
}

/// Something that is wrong until it is turned on.
private final class Switch: Sendable {
    private let state = Mutex(false)
    var isOn: Bool { state.withLock(\.self) }
    func turnOn() { state.withLock { $0 = true } }
}

/// Refuses to serialize a name until it is mended.
private struct MendableSync: Producer {
    struct Refusal: Error {}

    struct Serializer: ModelSerializer {
        let isMended: Switch

        var fields: Fields<Rental> {
            Attributes(.id, .bedrooms)
            Attribute(.name) { rental, _ in
                guard rental.name != "bad" || isMended.isOn else { throw Refusal() }
                return rental.name
            }
        }
    }

    let isMended: Switch

    init(_ isMended: Switch) { self.isMended = isMended }

    var namespaces: [Namespace] {
        Namespace("v3", serializers: Serializers { Serializer(isMended: isMended) }) {
            Topic("rentals", partitionKey: "account_id") { Publish(Rental.self) }
        }
    }
}

extension ProducerSettings {
    fileprivate static var twoAttempts: ProducerSettings {
        var settings = ProducerSettings()
        settings.maxAttempts = 2
        return settings
    }
}

extension ProducerHarness {
    fileprivate func makeRetriesDue() async throws {
        try await write("UPDATE dionysus_outboxes SET retry_at = created_at WHERE retry_at IS NOT NULL")
    }

    /// How many lanes a relay sees something to do in, above their low-water marks.
    fileprivate func visibleLanes() async throws -> Int {
        try await database.transaction(.snapshot) { transaction in
            let outbox = try Outbox.open(of: database, in: &transaction)
            return try transaction.run(outbox.pendingLanes()).count
        }
    }
}
