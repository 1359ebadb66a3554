import Dionysus
import Synchronization
import TestSupport
import Testing

@testable import DionysusProducer

/// What holds whatever the relay is busy with: versions, what waits behind a failure, what a claim costs.
@Suite struct RelayRuleTests {
    @Test(
        "after the database was restored, versions go on above what was published",
        arguments: TestDatabaseKind.available
    )
    func restored(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(CaptureTests.account)
            try await harness.relay()
            switch kind {
            case .postgres: try await harness.write("SELECT setval('dionysus_version', 1)")
            case .sqlite: try await harness.write("UPDATE dionysus_version SET version = 1")
            }
            try await harness.write("UPDATE accounts SET name = 'later'")
            try await harness.relay()
            let versions = try await harness.messages(in: "v3_accounts").map(\.version)
            #expect(versions.count == 2)
            #expect(versions[0] < versions[1])
        }
    }

    @Test(
        "behind a row that waits for its retry wait the rows of its record, of its partition key, or none, as is chosen",
        arguments: TestDatabaseKind.available,
        HoldPolicy.allCases
    )
    func policies(_ kind: TestDatabaseKind, _ policy: HoldPolicy) async throws {
        var settings = ProducerSettings()
        settings.onFailure = policy
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.write(
                CaptureTests.account,
                "INSERT INTO accounts (id, name) VALUES (2, 'Second')",
                "INSERT INTO rentals (id, account_id, name) VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c')",
                "DELETE FROM dionysus_outboxes",
                "UPDATE rentals SET name = 'failed' WHERE id = 1"
            )
            let refusals = Mutex(1)
            var failing = harness
            failing.broker = RefusingBroker(base: harness.broker) { _ in
                refusals.withLock { rest in
                    guard rest > 0 else { return nil }
                    rest -= 1
                    return DionysusError(.messageRejected, "refused")
                }
            }
            try await failing.relay()
            try await harness.postponeRetries()
            try await harness.write("UPDATE rentals SET bedrooms = 2")
            try await harness.relay()
            let keys = try await harness.messages(in: "v3_rentals").map(\.key).sorted()
            switch policy {
            case .holdRecord: #expect(keys == ["Rental:2", "Rental:3"])
            case .holdPartitionKey: #expect(keys == ["Rental:3"])
            case .pass: #expect(keys == ["Rental:1", "Rental:2", "Rental:3"])
            }
        }
    }

    @Test("rows of observers inherit the time and the trace of the change", arguments: TestDatabaseKind.available)
    func inheritance(_ kind: TestDatabaseKind) async throws {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(CaptureTests.account, CaptureTests.rental, "DELETE FROM dionysus_outboxes")
            try await harness.database.transaction(.write) { transaction in
                try transaction.setTraceContext(traceparent: trace)
                try transaction.run("UPDATE accounts SET default_check_in_time = 17")
            }
            let changed = try await harness.value(
                "SELECT created_at FROM dionysus_outboxes WHERE topic = '__outbox_observer__'"
            )
            try await harness.relay()
            let inherited = try await harness.database.transaction(.snapshot) { transaction in
                try transaction.run("SELECT created_at, traceparent FROM dionysus_outboxes WHERE topic = 'v3_rentals'")
                    .first
            }
            #expect(inherited?[0] == changed)
            #expect(inherited?[1] == .text(trace))
        }
    }

    @Test(
        "a change that reaches more observers than may be published at once is published by a run",
        arguments: TestDatabaseKind.available
    )
    func manyObservers(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.observersInlineMaximumSize = 20
        settings.genesisChunkSize = 30
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.addRentals(100)
            try await harness.write("UPDATE accounts SET default_check_in_time = 17")
            try await harness.relay()
            let messages = try await harness.messages(in: "v3_rentals")
            #expect(Set(messages.map(\.key)).count == 100)
            #expect(messages.allSatisfy { $0.payload["check_in_time"] == .integer(17) })
            #expect(try await harness.genesis.runs().count == 1)
        }
    }
}

extension RelayRuleTests {
    @Test("what was expanded is forgotten in the end, though another relay has settled it", arguments: [1, 30_000])
    func expansionMemory(_ count: Int) throws {
        let memory = ExpansionMemory()
        let columns = OutboxRow.columns + OutboxRow.contextColumns + ["is_young"]
        let rows = try (1...count)
            .map { number in
                let cells: [DatabaseValue] =
                    [.integer(Int64(number))] + Array(repeating: .null, count: columns.count - 1)
                return try OutboxRow(
                    try #require(ResultSet(columns: columns, cells: cells, affectedRows: 1).first)
                )
            }
        for row in rows { memory.note([row]) }
        #expect(memory.count <= 20_000)
        #expect(memory.new([rows[count - 1]]).isEmpty)
        memory.forget(rows)
        #expect(memory.count == 0)
    }

    @Test("many rows that fail are settled by a statement, not by one each", arguments: TestDatabaseKind.available)
    func failuresTogether(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            let outbox = try await harness.database.transaction(.write) { transaction in
                try Outbox.open(of: harness.database, in: &transaction)
            }
            try await harness.write(
                CaptureTests.account,
                "INSERT INTO accounts (id, name) VALUES (2, 'b')"
            )
            let failures = (1...2)
                .map { number in
                    let error = DionysusError(.application, "failure\u{0} \(number)")
                    return Outbox.Failure(id: Int64(number), error: error, attempts: Int64(number))
                }
            try await harness.write(outbox.fail(failures, retryAfter: nil))
            let entries = try await OutboxInspector(database: harness.database).entries(OutboxFilter(scope: .parked))
            #expect(entries.map(\.attempts) == [1, 2])
            #expect(entries.map(\.errorMessage) == ["failure\u{FFFD} 1", "failure\u{FFFD} 2"])
        }
    }
}
