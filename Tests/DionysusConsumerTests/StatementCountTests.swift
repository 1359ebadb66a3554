import Dionysus
import DionysusConsumer
import TestSupport
import Testing

/// What applying costs in statements.
@Suite struct StatementCountTests {
    @Test(arguments: TestDatabaseKind.available)
    func `a batch of 5,000 events costs a number of statements that doesn't grow with it`(
        _ kind: TestDatabaseKind
    ) async throws {
        let few = try await statements(kind, events: 50)
        let many = try await statements(kind, events: 5_000)
        #expect(few.allSatisfy { $0 > 0 })
        #expect(few == many)
        // Locks and rows and remembered destructions are loaded; then rows are written.
        #expect(many.allSatisfy { $0 < 20 })
    }

    @Test(arguments: TestDatabaseKind.available)
    func `where no destruction is remembered of a replica, new records aren't looked for among the destroyed`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let watched = WatchedDatabase(replica.database)
            func lookups(creating ids: ClosedRange<Int>) async throws -> Int {
                try await replica.publish(ids.map { .rental(.created, $0, name: "rental \($0)") })
                _ = watched.takeStatements()
                try await replica.consume(database: watched)
                return watched.takeStatements().count { $0.contains("JOIN dionysus_tombstones") }
            }
            // A destruction of another replica's record is none of its business.
            try await replica.publish(.event("booking_destroyed", "Booking", #"{"id":1}"#))
            try await replica.consume()
            #expect(try await lookups(creating: 1...10) == 0)
            try await replica.publish(.rental(.destroyed, 99))
            try await replica.consume()
            #expect(try await lookups(creating: 11...20) == 1)
            #expect(try await replica.rows("SELECT count(*) FROM rentals") == ["20"])
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `a batch of failures is recorded by one statement, however many there are`(
        _ kind: TestDatabaseKind
    ) async throws {
        try await ReplicaHarness.run(kind) { replica in
            let watched = WatchedDatabase(replica.database)
            var settings = ConsumerSettings.forTests
            settings.batchSize = 5_000
            for count in [1, 3, 1_000] {
                try await replica.publish(
                    (0..<count)
                        .map { number in
                            let isTombstone = number % 3 == 0
                            let key = isTombstone || number % 2 == 0 ? "Rental:\(number)" : nil
                            return WireMessage("v3_rentals", key: key, value: isTombstone ? nil : "{")
                        }
                )
                // A tombstone is no failure.
                let expected = (0..<count).count { $0 % 3 != 0 }
                _ = watched.takeStatements()
                try await replica.consume(settings: settings, database: watched)
                let statements = watched.takeStatements().count { $0.hasPrefix("INSERT INTO dionysus_failures") }
                #expect(statements == (expected == 0 ? 0 : 1))
            }
            let recorded = try await replica.rows("SELECT count(*), count(\"key\") FROM dionysus_failures")
            #expect(recorded.first?.hasPrefix("668 ") == true, "\(recorded)")
        }
    }

    /// Creates, updates, changes a third each of, and destroys bookings with three fees each; a batch for each step.
    private func statements(_ kind: TestDatabaseKind, events: Int) async throws -> [Int] {
        try await ReplicaHarness.run(kind) { replica in
            let watched = WatchedDatabase(replica.database)
            var settings = ConsumerSettings.forTests
            // One more than there are: a consumer that starts reads the last message that it has applied once more.
            settings.batchSize = 5_001
            settings.memoryBudget = MemoryBudget(megabytes: 1_024)
            var counts: [Int] = []
            for step in 1...4 {
                try await replica.publish((1...events).map { message($0, in: step) })
                _ = watched.takeStatements()
                try await replica.consume(settings: settings, database: watched)
                let statements = watched.takeStatements()
                #expect(statements.filter(Self.movesOffset).count == 1)
                counts.append(statements.filter(Self.isWork).count)
            }
            #expect(try await replica.failures == [])
            let rest = try await replica.rows("SELECT count(*) FROM bookings")
            #expect(rest == ["0"])
            #expect(try await replica.rows("SELECT count(*) FROM dionysus_tombstones") == ["\(events)"])
            return counts
        }
    }

    private static func movesOffset(_ statement: String) -> Bool {
        ["INSERT INTO dionysus_offsets", "UPDATE dionysus_offsets"].contains { statement.hasPrefix($0) }
    }

    /// Whether a statement is one of the batch, and no housekeeping.
    private static func isWork(_ statement: String) -> Bool {
        statement.contains("\"bookings") || statement.contains("dionysus_locks")
            || statement.contains("dionysus_tombstones") && !statement.hasPrefix("DELETE")
    }

    private func message(_ id: Int, in step: Int) -> WireMessage {
        let version = Int64(step)
        let (change, members): (EventName.Change, String) =
            switch (step, id % 3) {
            case (1, _): (.created, #""final_price":"1.50","#)
            case (2, _): (.updated, #""final_price":"2.50","#)
            case (3, 0): (.updated, #""start_at":"2026-01-01T00:00:00Z","#)
            case (3, 1): (.destroyed, #""canceled_at":"2026-01-01T00:00:00Z","#)
            case (3, _): (.created, #""final_price":"3.50","canceled_at":null,"#)
            default: (.destroyed, "")
            }
        let fees = step == 4 ? [] : (0..<3).map { id * 3 + $0 }
        let records = fees.map { #"{"id":\#($0),"amount":"\#(step).00","links":{"booking":\#(id)}}"# }
        let payload = """
            {"id":\(id),\(members)"links":{"rental":1,"bookings_fees":[\(fees.map(String.init).joined(separator: ","))]},\
            "bookings_fees":[\(records.joined(separator: ","))]}
            """
        return .event("booking_\(change)", "Booking", payload, version: version)
    }
}
