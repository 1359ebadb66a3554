import Dionysus
import DionysusProducer
import TestSupport
import Testing

@testable import Rentals

/// Rows that can't be published, and what waits behind them.
@Suite struct FailureTests {
    @Test(
        "a record that can't be serialized waits with its later rows, the others go on, and it is parked in the end",
        arguments: TestDatabaseKind.available
    )
    func serialization(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.maxAttempts = 2
        try await ProducerHarness.run(kind, settings: settings, producer: PickySync()) { harness in
            try await harness.write(
                CaptureTests.account,
                "INSERT INTO rentals (id, account_id, name) VALUES (1, 1, 'bad'), (2, 1, 'good')",
                "UPDATE rentals SET bedrooms = 2"
            )
            try await harness.relayOnce()
            #expect(
                try await harness.events(in: "v3_rentals") == ["rental_created Rental:2", "rental_updated Rental:2"]
            )
            #expect(
                try await harness.pending() == [
                    "rental_created Rental:1 v3_rentals 1", "rental_updated Rental:1 v3_rentals 1",
                ]
            )
            let first = try await harness.failure()
            #expect(first.attempts == 1)
            #expect(first.errorClass == "application")
            #expect(first.hasRetry)
            #expect(first.message.contains("Rental:1") && !first.message.contains("bad"))

            // Its time has come, and it fails for the last time: it does not hold its record any more.
            try await harness.write("UPDATE dionysus_outboxes SET retry_at = created_at WHERE retry_at IS NOT NULL")
            try await harness.relay()
            let last = try await harness.failure()
            #expect(last.attempts == 2 && !last.hasRetry)

            try await harness.write("UPDATE rentals SET name = 'mended' WHERE id = 1")
            try await harness.write(
                "UPDATE dionysus_outboxes SET retry_at = created_at WHERE retry_at IS NOT NULL"
            )
            try await harness.relay()
            let mended = try await harness.events(in: "v3_rentals").filter { $0.hasSuffix("Rental:1") }
            #expect(mended == ["rental_updated Rental:1", "rental_updated Rental:1"])
            #expect(try await harness.pending() == ["rental_created Rental:1 v3_rentals 1"])
        }
    }

    @Test(
        "a row of a model that is not declared fails with advice and holds up nothing else",
        arguments: TestDatabaseKind.available
    )
    func undeclared(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(
                """
                INSERT INTO dionysus_outboxes (resource_class, resource_id, event_name, topic, created_at, updated_at)
                VALUES ('Ghost', '1', 'ghost_created', 'v3_ghosts', '2026-01-01', '2026-01-01')
                """,
                CaptureTests.account
            )
            try await harness.relay()
            #expect(try await harness.events(in: "v3_accounts") == ["account_created Account:1"])
            #expect(try await harness.failure().message.contains("declare it and retry the row"))
        }
    }
}

/// Refuses to serialize a name.
struct PickySync: Producer {
    struct Refusal: Error {}

    struct PickySerializer: ModelSerializer {
        var fields: Fields<Rental> {
            Attributes(.id)
            Attribute(.name) { rental, _ in
                guard rental.name != "bad" else { throw Refusal() }
                return rental.name
            }
        }
    }

    var namespaces: [Namespace] {
        Namespace("v3", serializers: Serializers { PickySerializer() }) {
            Topic("rentals", partitionKey: "account_id") { Publish(Rental.self) }
        }
    }
}

extension ProducerHarness {
    fileprivate struct Failure {
        let attempts: Int64
        let errorClass: String
        let message: String
        let hasRetry: Bool
    }

    fileprivate func failure() async throws -> Failure {
        let row = try await database.transaction(.snapshot) { transaction in
            try transaction.run(
                "SELECT attempts, error_class, error_message, retry_at FROM dionysus_outboxes WHERE failed_at IS NOT NULL"
            )
            .first
        }
        return Failure(
            attempts: try row?.integer(0) ?? 0,
            errorClass: try row?.text(1) ?? "",
            message: try row?.text(2) ?? "",
            hasRetry: row.map { !$0[3].isNull } ?? false
        )
    }
}

extension FailureTests {
    @Test(
        "a row whose id no record can have publishes nothing and holds up nothing",
        arguments: TestDatabaseKind.available
    )
    func malformedID(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.lanes = 1
        try await ProducerHarness.run(kind, settings: settings) { harness in
            try await harness.write(
                """
                INSERT INTO dionysus_outboxes (resource_class, resource_id, event_name, topic, created_at, updated_at)
                VALUES ('Account', 'one', 'account_created', 'v3_accounts', '2026-01-01', '2026-01-01')
                """,
                CaptureTests.account
            )
            try await harness.relay()
            #expect(try await harness.events(in: "v3_accounts") == ["account_created Account:1"])
        }
    }
}
