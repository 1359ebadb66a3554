import Dionysus
import DionysusProducer
import TestSupport
import Testing

@testable import Rentals

/// Publishing in the process that commits.
@Suite(.timeLimit(.minutes(10))) struct CommitPublisherTests {
    @Test("it ends when its task is cancelled, before and while it works", arguments: TestDatabaseKind.available)
    func cancelled(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            let publisher = CommitPublisher(harness.registry, database: harness.database, broker: harness.broker)
            let early = Task { try await publisher.run() }
            early.cancel()
            _ = await early.result

            let (batches, continuation) = AsyncStream.makeStream(of: PublishedBatch.self)
            let working = CommitPublisher(
                harness.registry,
                database: harness.database,
                broker: harness.broker,
                onPublished: { continuation.yield($0) }
            )
            let task = Task { try await working.run() }
            try await harness.write(CaptureTests.account)
            try await working.publishPending()
            for await _ in batches { break }
            task.cancel()
            _ = await task.result
        }
    }

    @Test(
        "what a process commits it publishes at once, and nothing of a rollback",
        arguments: TestDatabaseKind.available
    )
    func commit(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.publishesAfterCommit = true
        settings.publishingDelay = .seconds(3_600)
        try await ProducerHarness.run(kind, settings: settings) { harness in
            let (batches, continuation) = AsyncStream.makeStream(of: PublishedBatch.self)
            let publisher = CommitPublisher(
                harness.registry,
                database: harness.database,
                broker: harness.broker,
                settings: settings,
                onPublished: { continuation.yield($0) }
            )
            try await harness.withService(publisher) {
                var published = batches.makeAsyncIterator()
                struct Refused: Error {}
                await #expect(throws: Refused.self) {
                    try await publisher.transaction { transaction in
                        try transaction.run("INSERT INTO accounts (id, name) VALUES (1, 'never')")
                        throw Refused()
                    }
                }
                try await publisher.transaction { transaction in
                    try transaction.run("INSERT INTO accounts (id, name, default_check_in_time) VALUES (1, 'Acme', 15)")
                    try transaction.run("INSERT INTO rentals (id, account_id, name) VALUES (1, 1, 'Villa')")
                }
                var count = 0
                while count < 2, let batch = await published.next() { count += batch.changes.count }
                // What is observed is published through its observers, too.
                _ = try await publisher.transaction { try $0.run("UPDATE accounts SET default_check_in_time = 16") }
                while count < 4, let batch = await published.next() { count += batch.changes.count }
            }
            #expect(
                try await harness.events(in: "v3_accounts") == [
                    "account_created Account:1", "account_updated Account:1",
                ]
            )
            #expect(
                try await harness.events(in: "v3_rentals") == ["rental_created Rental:1", "rental_updated Rental:1"]
            )
            #expect(try await harness.pending() == [])
        }
    }

    @Test("what a process can't publish is left to the relay", arguments: TestDatabaseKind.available)
    func notYet(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.publishesAfterCommit = true
        try await ProducerHarness.run(kind, settings: settings) { harness in
            // It does not run.
            let publisher = CommitPublisher(
                harness.registry,
                database: harness.database,
                broker: harness.broker,
                settings: settings
            )
            _ = try await publisher.transaction { try $0.run("INSERT INTO accounts (id, name) VALUES (1, 'Acme')") }
            #expect(try await harness.messages(in: "v3_accounts").isEmpty)
            try await harness.relay()
            #expect(try await harness.messages(in: "v3_accounts").count == 1)
        }
    }

    @Test(
        "only the models that are declared so are published by the committing process",
        arguments: TestDatabaseKind.available
    )
    func perModel(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        // So many that the two records are in different ones: what shares a lane is published together.
        settings.lanes = 16
        try await ProducerHarness.run(kind, settings: settings, producer: OnlyAccounts()) { harness in
            let (batches, continuation) = AsyncStream.makeStream(of: PublishedBatch.self)
            let publisher = CommitPublisher(
                harness.registry,
                database: harness.database,
                broker: harness.broker,
                settings: settings,
                onPublished: { continuation.yield($0) }
            )
            try await harness.withService(publisher) {
                var published = batches.makeAsyncIterator()
                try await publisher.transaction { transaction in
                    try transaction.run("INSERT INTO accounts (id, name) VALUES (1, 'Acme')")
                    try transaction.run("INSERT INTO rentals (id, account_id, name) VALUES (2, 1, 'Villa')")
                }
                #expect(await published.next()?.changes.count == 1)
            }
            #expect(try await harness.messages(in: "v3_accounts").count == 1)
            #expect(try await harness.pending() == ["rental_created Rental:2 v3_rentals 2"])
        }
    }
}

/// Accounts are published by the process that commits them, rentals by a relay.
private struct OnlyAccounts: Producer {
    let serializers = BookingSync().serializers

    var namespaces: [Namespace] {
        Namespace("v3", serializers: serializers) {
            Topic("accounts", partitionKey: "id") { Publish(Account.self).publishedAfterCommit() }
            Topic("rentals", partitionKey: "id") { Publish(Rental.self) }
        }
    }
}
