import Dionysus
import DionysusConsumer
import Synchronization
import TestSupport
import Testing

@Suite struct MutexTests {
    /// Remembers what is locked, and what was committed when it was unlocked.
    private final class Watch: MutexProvider {
        private let seen = Mutex<[[String]]>([])
        private let committed = Mutex<[String]>([])
        private let look: @Sendable () async throws -> [String]

        init(_ look: @escaping @Sendable () async throws -> [String] = { [] }) { self.look = look }

        var keys: [[String]] { seen.withLock { $0 } }
        var visible: [String] { committed.withLock { $0 } }

        func withLocks(_ keys: [String], _ work: () async throws -> Void) async throws {
            seen.withLock { $0.append(keys) }
            let before = try await look()
            try await work()
            let after = try await look()
            committed.withLock { $0 += ["\(before.count) rows before", "\(after.count) rows after"] }
        }
    }

    /// Reads a number and writes the next one, which loses counts unless the others wait.
    private static let count: EventHandler = { event, transaction in
        let id = event.entityID ?? ""
        let found = try transaction.run("SELECT n FROM counts WHERE id = \(id)")
        let next = (try found.first?.integer(0) ?? 0) + 1
        try transaction.run("UPDATE counts SET n = \(next) WHERE id = \(id)")
        return .acknowledged
    }

    @Test(arguments: TestDatabaseKind.available)
    func `two topics and two groups that write the same records at the same time lose nothing`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            try await replica.write("CREATE TABLE counts (id text PRIMARY KEY, n bigint NOT NULL)")
            try await replica.write("INSERT INTO counts (id, n) VALUES ('1', 0), ('2', 0), ('3', 0)")
            // No replica of the model, so that no lock on a row keeps the handlers apart.
            let messages = (0..<240)
                .map { number in
                    var message = WireMessage.event("villa_updated", "Villa", #"{"id":\#(number % 3 + 1)}"#)
                    message.topic = number % 2 == 0 ? "v3_rentals" : "v3_bookings"
                    message.partition = Int32(number % 4)
                    return message
                }
            try await replica.publish(messages)
            let listener = Listener(
                topics: ["rentals", "bookings"].map { ConsumerTopic($0).sharingRecords().handling(Self.count) }
            )
            try await withThrowingTaskGroup { group in
                for name in ["one", "another"] {
                    group.addTask {
                        var settings = ConsumerSettings.forTests
                        settings.groupID = name
                        settings.batchSize = 8
                        try await replica.consume(listener, settings: settings)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await replica.rows("SELECT n FROM counts ORDER BY id") == ["160", "160", "160"])
            #expect(try await replica.failedOffsets == [])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a batch locks its records and the sideloaded ones, in one order and each once`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let watch = Watch()
            let booking = """
                {"id":9,"links":{"bookings_fees":[12,5]},\
                "bookings_fees":[{"id":12,"links":{}},{"id":5,"links":{}}]}
                """
            try await replica.publish(
                .event("booking_created", "Booking", booking),
                .event("booking_updated", "Booking", #"{"id":"10"}"#),
                .event("booking_updated", "Booking", #"{"id":9}"#)
            )
            try await replica.consume(Listener(topics: [ConsumerTopic("bookings").sharingRecords(lockedBy: watch)]))
            #expect(watch.keys == [["Booking:10", "Booking:9", "BookingsFee:12", "BookingsFee:5"]])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `an application's provider holds its locks until the transaction is committed`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let watch = Watch { try await replica.rows("SELECT synced_id FROM rentals") }
            let topic = ConsumerTopic("rentals")
                .sharingRecords(lockedBy: watch) { event in
                    event.entityID == "3" ? nil : "account 7"
                }
            try await replica.publish((1...3).map { .rental(.created, $0, name: "rental \($0)") })
            try await replica.consume(Listener(topics: [topic]))
            #expect(watch.keys == [["account 7"]])
            #expect(watch.visible == ["0 rows before", "3 rows after"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a provider that fails fails the message, and one that may succeed later is waited for`(
        _ kind: TestDatabaseKind
    ) async throws {
        struct Failing: MutexProvider {
            let calls = Calls()

            func withLocks(_ keys: [String], _ work: () async throws -> Void) async throws {
                if keys == ["Rental:1"] { throw DionysusError(.application, "no such lock") }
                if calls.next() == 1 { throw DionysusError(.conflict, "it is taken", isRetriable: true) }
                try await work()
            }
        }
        final class Calls: Sendable {
            private let count = Mutex(0)

            func next() -> Int {
                count.withLock { count in
                    count += 1
                    return count
                }
            }
        }
        try await ReplicaHarness.run(kind) { replica in
            let failing = Failing()
            var settings = ConsumerSettings.forTests
            settings.batchSize = 1
            try await replica.publish((1...2).map { .rental(.created, $0, name: "rental \($0)") })
            let topic = ConsumerTopic("rentals").sharingRecords(lockedBy: failing)
            try await replica.consume(Listener(topics: [topic]), settings: settings)
            #expect(try await replica.failedOffsets == ["0"])
            #expect(try await replica.rows("SELECT synced_id FROM rentals") == ["2"])
            #expect(failing.calls.next() == 3)
        }
    }
}
