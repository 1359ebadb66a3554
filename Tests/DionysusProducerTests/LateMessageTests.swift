import Dionysus
import DionysusProducer
import TestSupport
import Testing

/// A relay that has lost its lane while its messages were in flight.
@Suite(.timeLimit(.minutes(10))) struct LateMessageTests {
    @Test(
        "what is sent late, acknowledged or not, is followed by a message that tells how the record is",
        arguments: TestDatabaseKind.available.filter { $0 == .postgres },
        [true, false]
    )
    func lostLane(_ kind: TestDatabaseKind, _ isAcknowledged: Bool) async throws {
        var settings = ProducerSettings()
        settings.lanes = 1
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.write(
                CaptureTests.account,
                "DELETE FROM dionysus_outboxes",
                CaptureTests.rental,
                "INSERT INTO rentals (id, account_id, name, price) VALUES (2, 1, 'Hut', 50)"
            )
            let late = LateBroker(base: harness.broker, isAcknowledged: isAcknowledged) {
                try await harness.write(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND state = 'idle in transaction'
                    """,
                    "UPDATE rentals SET canceled_at = now() WHERE id = 1"
                )
                try await harness.relay()
            }
            await #expect(throws: DionysusError.self) { try await harness.pipeline(broker: late).publishAllLanes() }
            try await harness.relay()
            let messages = try await harness.messages(in: "v3_rentals")
            #expect(
                messages.map { "\($0.event) \($0.key)" }.sorted() == [
                    "rental_created Rental:1", "rental_created Rental:1", "rental_created Rental:2",
                    "rental_created Rental:2", "rental_destroyed Rental:1", "rental_destroyed Rental:1",
                    "rental_updated Rental:2",
                ]
            )
            for (key, event) in [("Rental:1", "rental_destroyed"), ("Rental:2", "rental_updated")] {
                let last = try #require(messages.last { $0.key == key })
                #expect(last.event == event)
                #expect(messages.filter { $0.key == key }.allSatisfy { $0.version <= last.version })
            }
            #expect(try await harness.pending() == [])
        }
    }
}

/// A broker before whose first messages something happens, and whose acknowledgements of these may be lost.
private struct LateBroker: BrokerWrapper {
    let base: any MessageBroker
    let isAcknowledged: Bool
    let before: @Sendable () async throws -> Void

    func makeProducer(_ options: ProducerOptions) async throws -> any MessageProducer {
        LateProducer(producer: try await base.makeProducer(options), broker: self)
    }
}

private struct LateProducer: MessageProducer {
    let producer: any MessageProducer
    let broker: LateBroker

    func send(_ messages: [OutgoingMessage]) async -> [Result<Acknowledgement, DionysusError>] {
        await #expect(throws: Never.self) { try await broker.before() }
        let results = await producer.send(messages)
        guard !broker.isAcknowledged else { return results }
        return results.map { _ in
            .failure(DionysusError(.brokerUnavailable, "the acknowledgement was lost", isRetriable: true))
        }
    }

    func purge() { producer.purge() }

    func close(deadline: Duration) async { await producer.close(deadline: deadline) }
}
