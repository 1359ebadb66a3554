import Dionysus
import DionysusConsumer
import DionysusProducer
import DionysusTesting
import Testing

@testable import Rentals

/// Both sides of the example application in the test kit.
@Suite(.timeLimit(.minutes(10))) struct ReplicationTestTests {
    @Test(arguments: ThrowAwayDatabase.available)
    func `a written record arrives`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            try await test.source.write {
                try $0.insert(Account.sample())
                try $0.insert(Rental.sample())
            }
            try await test.settle()
            #expect(test.messages(in: "v3_rentals").map(\.event) == ["rental_created"])
            #expect(test.messages(in: "v3_rentals").first?.payload?["check_in_time"] == 15)
            #expect(test.messages(in: "v3_accounts_genesis").map(\.keyText) == ["Account:1"])
            let rentals = try await test.replica.rows("rentals")
            #expect(rentals.map { $0["synced_id"] } == [2])
            #expect(rentals.map { $0["name"] } == ["By the sea"])
            #expect(try await test.source.rows(Rental.self).map(\.price) == [ExactDecimal("12.50")])
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `parts, observed attributes and deletions settle, repeatedly`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            try await test.source.write {
                try $0.insert(Account.sample())
                try $0.insert(Rental.sample())
            }
            try await test.settle()
            try await test.source.write { try $0.update(Account.sample(checkIn: 18)) }
            try await test.settle()
            #expect(test.messages(in: "v3_rentals").compactMap(\.event) == ["rental_created", "rental_updated"])
            #expect(try await test.replica.rows("rentals").map { $0["check_in_time"] } == [18])
            try await test.source.write { try $0.delete(Rental.sample()) }
            try await test.settle()
            #expect(try await test.replica.rows("rentals").isEmpty)
            // Nothing is left to do.
            let count = test.messages(in: "v3_rentals").count
            try await test.settle()
            #expect(test.messages(in: "v3_rentals").count == count)
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `concurrent tests share nothing`(_ database: ThrowAwayDatabase) async throws {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 1...3 {
                group.addTask {
                    let name = "Account \(number)"
                    nonisolated(unsafe) var found = 0
                    try await withRentals(database) { test in
                        var account = Account.sample()
                        account.name = name
                        try await test.source.write { [account] in try $0.insert(account) }
                        try await test.settle()
                        found = try await test.replica.rows("accounts").count { $0["name"] == .string(name) }
                    }
                    return found
                }
            }
            for try await found in group { #expect(found == 1) }
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `tests beyond the server's capacity wait for their turn, and nested tests don't`(
        _ database: ThrowAwayDatabase
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<9 {
                group.addTask {
                    try await withRentals(database) { outer in
                        guard number < 1 else { return }
                        try await withRentals(database) { inner in
                            try await inner.source.write { try $0.insert(Account.sample()) }
                            try await inner.relay()
                            #expect(inner.messages(in: "v3_accounts").count == 1)
                        }
                        #expect(outer.messages(in: "v3_accounts").isEmpty)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `records that can't be published are reported`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database, producer: FailingSync()) { test in
            try await test.source.write { try $0.insert(Account.sample()) }
            await #expect {
                try await test.settle()
            } throws: { error in
                "\(error)".contains("producer of v3_accounts, Account:1") && error is ExpectationFailure
            }
            try await test.settle(allowingFailures: true)
            #expect(try await test.failures().map(\.side) == [.producer])
            #expect(test.messages(in: "v3_accounts").isEmpty)
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `messages that can't be applied are reported`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            try await test.deliver(
                TestMessage(
                    "account_created",
                    of: "Account",
                    in: "v3_accounts",
                    ["id": 1, "default_check_in_time": "x"]
                ),
                TestMessage("rental_created", of: "Rental", in: "v3_rentals", ["id": 2, "bedrooms": "x"])
            )
            let failures = try await test.failures()
            #expect(failures.map(\.topic) == ["v3_accounts", "dead_messages"])
            #expect(failures.allSatisfy { $0.side == .consumer })
            await #expect(throws: ExpectationFailure.self) { try await test.settle() }
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `one message, and a batch, are consumed through the declared topic`(_ database: ThrowAwayDatabase) async throws
    {
        try await ReplicationTest(
            consumer: RentalMirror(),
            on: database,
            replica: { try ReplicaSchema.create(in: &$0) }
        ) { test in
            #expect(test.registry == nil)
            try await test.deliver(
                TestMessage("rental_created", of: "Rental", in: "v3_rentals", ["id": 1, "name": "One"], version: 1)
            )
            #expect(try await test.replica.rows("rentals").map { $0["name"] } == ["One"])
            try await test.deliver(
                TestMessage("rental_updated", of: "Rental", in: "v3_rentals", ["id": 1, "name": "New"], version: 3),
                TestMessage("rental_updated", of: "Rental", in: "v3_rentals", ["id": 1, "name": "Old"], version: 2),
                TestMessage("rental_created", of: "Rental", in: "v3_rentals", ["id": 2, "name": "Two"], version: 4)
            )
            #expect(try await test.replica.rows("rentals").map { $0["name"] } == ["New", "Two"])
            try await test.deliver(TestMessage(value: Array("no json".utf8), key: "x", in: "v3_rentals"))
            #expect(try await test.failures().count == 1)
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `a producer is tested alone`(_ database: ThrowAwayDatabase) async throws {
        try await ReplicationTest(
            producer: BookingSync(),
            on: database,
            source: { try SourceSchema.create(in: &$0) }
        ) { test in
            try await test.source.write { try $0.insert(Account.sample()) }
            try await test.settle()
            #expect(test.messages(in: "v3_accounts").map(\.event) == ["account_created"])
            #expect(test.registry?.topics.contains("v3_bookings") == true)
        }
    }

    @Test func `settings affect both sides`() async throws {
        var settings = ReplicationSettings()
        settings.producer.timeFractionDigits = 3
        settings.producer.topicPrefix = "east_"
        settings.consumer.topicPrefix = "east_"
        try await ReplicationTest(
            BookingSync(),
            RentalMirror(),
            settings: settings,
            source: { try SourceSchema.create(in: &$0) },
            replica: { try ReplicaSchema.create(in: &$0) }
        ) { test in
            try await test.source.write { try $0.insert(Account.sample()) }
            try await test.settle()
            let payload = test.messages(in: "east_v3_accounts").first?.payload
            #expect(payload?["created_at"] == "2026-05-01T10:00:00.123Z")
            #expect(try await test.replica.rows("accounts").count == 1)
        }
    }

    @Test func `missing tables are reported`() async throws {
        await #expect {
            try await ReplicationTest(BookingSync(), RentalMirror(), source: { _ in }, replica: { _ in }) { _ in
                Issue.record("the body has run")
            }
        } throws: { error in
            (error as? DionysusError)?.code == .declaration && "\(error)".contains("there is no table accounts")
        }
        try await withRentals(.sqlite) { test in
            await #expect {
                _ = try await test.replica.rows("ghosts")
            } throws: { error in
                "\(error)".contains("has no table ghosts")
            }
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `a missing record can't be changed or deleted`(_ database: ThrowAwayDatabase) async throws {
        try await withRentals(database) { test in
            for write in [
                { try $0.update(Account.sample()) }, { try $0.delete(Account.sample()) },
            ] as [@Sendable (inout Transaction) throws -> Void] {
                await #expect {
                    try await test.source.write(write)
                } throws: { error in
                    (error as? DionysusError)?.code == .notFound
                }
            }
        }
    }
}

/// Publishes accounts with a serializer that always fails.
private struct FailingSync: Producer {
    struct Serializer: ModelSerializer {
        var fields: Fields<Account> {
            Attributes(.id)
            Attribute("broken") { (_: Account, _: Related<Account>) -> Int in
                throw DionysusError(.application, "this serializer always fails")
            }
        }
    }

    var namespaces: [Namespace] {
        Namespace("v3", serializers: Serializers { Serializer() }) {
            Topic("accounts", partitionKey: "id") { Publish(Account.self) }
        }
    }
}
