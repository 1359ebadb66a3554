import Dionysus
import DionysusTesting
import Testing

@testable import Rentals

/// Injected faults.
@Suite(.timeLimit(.minutes(10))) struct FaultTests {
    @Test(arguments: ThrowAwayDatabase.available)
    func `messages that the broker refuses are sent again`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            try await test.source.write { try $0.insert(Account.sample()) }
            test.broker.refuse(3)
            try await test.settle()
            #expect(try await test.replica.rows("accounts").count == 1)
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `a message that the broker always refuses is a failure`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            test.broker.refuse { message in
                message.key == Array("Account:1".utf8) ? DionysusError(.messageRejected, "not this one") : nil
            }
            try await test.source.write {
                try $0.insert(Account.sample(1))
                try $0.insert(Account.sample(2))
            }
            try await test.settle(allowingFailures: true)
            #expect(try await test.replica.rows("accounts").map { $0["synced_id"] } == [2])
            #expect(try await test.failures().map(\.subject) == ["Account:1"])
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `failed transactions are retried, on both sides`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            try await test.source.write { try $0.insert(Account.sample()) }
            try await test.settle()
            try await test.source.write { try $0.insert(Account.sample(2)) }
            test.source.fail(2)
            try await test.relay()
            #expect(test.messages(in: "v3_accounts").count == 2)
            test.replica.fail(2)
            try await test.consume()
            #expect(try await test.replica.rows("accounts").count == 2)
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `both sides wait until an outage ends`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            try await test.source.write { try $0.insert(Account.sample()) }
            test.replica.isAway = true
            test.broker.isAway = true
            async let settled: Void = test.settle()
            // The test itself still has access to the database.
            #expect(try await test.replica.rows("accounts").isEmpty)
            test.broker.isAway = false
            test.replica.isAway = false
            try await settled
            #expect(try await test.replica.rows("accounts").count == 1)
        }
    }
}
