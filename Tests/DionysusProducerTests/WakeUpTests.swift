import Dionysus
import Logging
import Synchronization
import TestSupport
import Testing

@testable import DionysusProducer

/// How soon a relay learns of changes, and who publishes them.
///
/// Where a test needs something to happen by itself, the poll interval is an hour: only an announcement can be in time.
@Suite(.timeLimit(.minutes(10))) struct WakeUpTests {
    private static let rarely: ProducerSettings = {
        var settings = ProducerSettings()
        settings.pollInterval = .seconds(3_600)
        return settings
    }()

    @Test("an idle relay is woken by what another connection commits", arguments: TestDatabaseKind.available)
    func announcement(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind, settings: Self.rarely) { harness in
            try await harness.withRelay { published in
                var batches = published.makeAsyncIterator()
                for number in 1...20 {
                    try await harness.write("INSERT INTO accounts (id, name) VALUES (\(number), 'Acme')")
                    #expect(await batches.next()?.changes.count == 1)
                }
            }
            #expect(try await harness.messages(in: "v3_accounts").count == 20)
        }
    }

    @Test(
        "a lane whose rows all wait does not keep changes from being announced",
        arguments: TestDatabaseKind.available
    )
    func waitingLane(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind, settings: Self.rarely) { harness in
            // The second waits behind the first, which has failed, and which no attempt is made to publish.
            try await harness.write(
                "INSERT INTO accounts (id, name) VALUES (1, 'Acme')",
                "UPDATE dionysus_outboxes SET failed_at = '2999-01-01', attempts = 1, retry_at = '2999-01-01'",
                "UPDATE accounts SET name = 'Acme Inc.' WHERE id = 1"
            )
            try await harness.withRelay { published in
                var batches = published.makeAsyncIterator()
                for number in 2...20 {
                    try await harness.write("INSERT INTO accounts (id, name) VALUES (\(number), 'Other')")
                    #expect(await batches.next()?.changes.count == 1)
                }
            }
            #expect(try await harness.pending().count == 2)
        }
    }

    @Test(
        "a transaction that began before the relay waited does not go unnoticed",
        .enabled(if: TestDatabaseKind.available.contains(.postgres), "needs PostgreSQL")
    )
    func longTransaction() async throws {
        try await ProducerHarness.run(.postgres, settings: Self.rarely) { harness in
            // A lease is a transaction that stays open: it has recorded a change before the relay starts.
            let open = LeasedResource(
                name: "open",
                lockingQuery: "INSERT INTO accounts (id, name) VALUES (1, 'Acme') RETURNING id"
            )
            let lease = try #require(await harness.database.lease(open, idleTimeout: .seconds(60)))
            try await harness.withRelay { published in
                var batches = published.makeAsyncIterator()
                try await harness.write("INSERT INTO accounts (id, name) VALUES (2, 'Second')")
                #expect(await batches.next()?.changes.count == 1)
                try await lease.release { _ in }
                #expect(await batches.next()?.changes.count == 1)
            }
        }
    }

    @Test(
        "behind a pooler the relay polls, because a session there is nobody's own",
        .enabled(if: TestDatabaseKind.available.contains(.postgres), "needs PostgreSQL")
    )
    func pooler() async throws {
        let database = try #require(try databaseBehindPooler())
        let signal = database.changeSignal {}
        await #expect(throws: DionysusError.self) { try await signal.arm() }
        await signal.close()
        await database.close()
    }

    @Test("a database that can't announce changes is asked once, one that is away again and again")
    func refusal() async throws {
        for (isRetriable, expected) in [(false, 1), (true, 3)] {
            let signal = RefusingSignal(isRetriable: isRetriable)
            var waiting = ChangeWaiting(
                signal,
                Doorbell(),
                pollInterval: .milliseconds(1),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
            for _ in 1...3 {
                await waiting.arm()
                await waiting.wait()
            }
            #expect(signal.asked.withLock(\.self) == expected)
        }
    }

    @Test("whoever announces what isn't there has a relay look less and less often")
    func falseAlarms() async throws {
        let doorbell = Doorbell()
        var waiting = ChangeWaiting(
            CryingSignal(doorbell: doorbell),
            doorbell,
            pollInterval: .seconds(3_600),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let start = ContinuousClock.now
        // The pauses double from the tenth look on: 2, 4 and so on up to 256 milliseconds.
        for _ in 1...17 {
            await waiting.arm()
            waiting.found([])
            await waiting.wait()
        }
        #expect(ContinuousClock.now - start >= .milliseconds(254))
    }

    @Test("rows younger than the publishing delay are left alone", arguments: TestDatabaseKind.available)
    func delay(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.publishingDelay = .seconds(3_600)
        try await ProducerHarness.run(kind, settings: settings) { harness in
            let now = harness.database.outbox.time(shiftedBy: 0)
            let old = harness.database.outbox.time(shiftedBy: -7_200)
            func row(_ id: String, _ key: String, _ time: SQL) -> SQL {
                """
                INSERT INTO dionysus_outboxes
                  (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at)
                VALUES ('Account', \(id), 'account_updated', 'v3_accounts', \(key), \(time), \(time))
                """
            }
            try await harness.write(
                "INSERT INTO accounts (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')",
                "DELETE FROM dionysus_outboxes",
                row("1", "one", old),
                row("2", "two", now),
                // Old enough, but behind a young row with its partition key.
                row("3", "two", old)
            )
            try await harness.withRelay { published in
                var batches = published.makeAsyncIterator()
                #expect(await batches.next()?.changes.count == 1)
            }
            #expect(try await harness.events(in: "v3_accounts") == ["account_updated Account:1"])
        }
    }

    @Test(
        "of consecutive rows of a record with one event only the last is published",
        arguments: TestDatabaseKind.available
    )
    func duplicates(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.removesConsecutiveDuplicates = true
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.write(
                "INSERT INTO accounts (id, name) VALUES (1, 'a'), (2, 'b')",
                "UPDATE accounts SET name = 'x1' WHERE id = 1",
                "UPDATE accounts SET name = 'y1' WHERE id = 2",
                "UPDATE accounts SET name = 'x2' WHERE id = 1",
                "UPDATE accounts SET name = 'x3' WHERE id = 1"
            )
            try await harness.relay()
            let messages = try await harness.messages(in: "v3_accounts")
            #expect(
                messages.filter { $0.key == "Account:1" }.map(\.event) == ["account_created", "account_updated"]
            )
            #expect(messages.filter { $0.key == "Account:2" }.count == 2)
            #expect(messages.last { $0.key == "Account:1" }?.payload["name"] == .string("x3"))
            #expect(try await harness.pending() == [])
        }
    }
}

/// Announces a change whenever it is asked to announce the next one.
private struct CryingSignal: ChangeSignal {
    let doorbell: Doorbell

    func arm() async throws -> Bool {
        doorbell.announce()
        return true
    }

    func disarm() async {}
    func close() async {}
}

private final class RefusingSignal: ChangeSignal {
    let isRetriable: Bool
    let asked = Mutex(0)

    init(isRetriable: Bool) { self.isRetriable = isRetriable }

    func arm() async throws -> Bool {
        asked.withLock { $0 += 1 }
        throw DionysusError(.databaseUnavailable, "no announcements", isRetriable: isRetriable)
    }

    func disarm() async {}
    func close() async {}
}
