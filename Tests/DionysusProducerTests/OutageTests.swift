import Dionysus
import Synchronization
import TestSupport
import Testing

@testable import DionysusProducer

/// What goes away by itself is no row's fault.
@Suite struct OutageTests {
    @Test("while the broker is away no attempt is counted and no row fails", arguments: TestDatabaseKind.available)
    func broker(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.maxAttempts = 1
        try await ProducerHarness.run(kind, settings: settings) { harness in
            let outage = Outage(lasting: 3, DionysusError(.brokerUnavailable, "it is away", isRetriable: true))
            try await harness.write(CaptureTests.account, CaptureTests.rental)
            try await harness.through(outage).relay()
            #expect(outage.isOver)
            #expect(try await harness.events(in: "v3_accounts") == ["account_created Account:1"])
            #expect(try await harness.events(in: "v3_rentals") == ["rental_created Rental:1"])
            let rows = try await harness.rows()
            #expect(rows.allSatisfy { $0.attempts == 0 && $0.failedAt == nil && $0.state == .published })
        }
    }

    @Test(
        "an error that goes away by itself is tried again after a delay, and parks no row, however often it was tried",
        arguments: TestDatabaseKind.available
    )
    func retriable(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.maxAttempts = 2
        try await ProducerHarness.run(kind, settings: settings) { harness in
            let outage = Outage(lasting: 1, DionysusError(.messageRejected, "not now", isRetriable: true))
            try await harness.write(
                CaptureTests.account,
                "UPDATE dionysus_outboxes SET attempts = 7, failed_at = created_at, retry_at = created_at"
            )
            try await harness.through(outage).relay()
            let row = try #require(try await harness.rows().first)
            #expect(row.state == .retrying && row.attempts == 7)
        }
    }

    @Test(
        "a message that the broker refuses for good is tried as often as any, then parked",
        arguments: TestDatabaseKind.available
    )
    func refusal(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.maxAttempts = 2
        try await ProducerHarness.run(kind, settings: settings) { harness in
            // Two attempts, each of a message to the topic and one to its genesis replica.
            let outage = Outage(lasting: 4, DionysusError(.messageRejected, "too large"))
            try await harness.write(CaptureTests.account)
            for expected in [OutboxEntry.State.retrying, .parked] {
                try await harness.through(outage).relayOnce()
                let row = try #require(try await harness.rows().first)
                #expect(row.state == expected && row.errorClass == "message_rejected")
                try await harness.write(
                    "UPDATE dionysus_outboxes SET retry_at = created_at WHERE retry_at IS NOT NULL"
                )
            }
        }
    }
}

/// Lets a number of messages fail.
private final class Outage: Sendable {
    let error: DionysusError
    private let messages: Mutex<Int>

    init(lasting messages: Int, _ error: DionysusError) {
        self.error = error
        self.messages = Mutex(messages)
    }

    var isOver: Bool { messages.withLock { $0 == 0 } }

    func strikes() -> Bool {
        messages.withLock { messages in
            guard messages > 0 else { return false }
            messages -= 1
            return true
        }
    }
}

extension ProducerHarness {
    /// The same, with a broker that suffers from an outage.
    fileprivate func through(_ outage: Outage) -> ProducerHarness {
        var harness = self
        harness.broker = RefusingBroker(base: broker) { _ in outage.strikes() ? outage.error : nil }
        return harness
    }

    /// All rows of the outbox.
    fileprivate func rows() async throws -> [OutboxEntry] {
        try await database.transaction(.snapshot) { [database] transaction in
            let ids = try transaction.run("SELECT id FROM dionysus_outboxes").rows.compactMap { try $0.integer(0) }
            return try transaction.run(Outbox.open(of: database, in: &transaction).entries(ids)).rows
                .map { try OutboxEntry($0) }
        }
    }
}
