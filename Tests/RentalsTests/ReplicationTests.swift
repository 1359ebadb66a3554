import Dionysus
import Foundation
import TestSupport
import Testing

/// The example application's processes, from outside.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct ReplicationTests {
    @Test("bulk writes by other programs are replicated", arguments: InstallationKind.all)
    func bulk(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed(
                "seed",
                "--accounts",
                "50",
                "--rentals",
                "20000",
                "--bookings",
                "1000",
                "--fees",
                "2000"
            )
            try await installation.replicateAndVerify()
            try await installation.write("UPDATE rentals SET price = price + 1;")
            try await installation.write("DELETE FROM bookings_fees WHERE id % 3 = 0;")
            switch kind {
            case .embedded:
                try await installation.write(
                    """
                    INSERT INTO bookings (rental_id, start_at, base_price)
                    SELECT id, '2027-05-01T12:00:00Z', 99.90 FROM rentals WHERE id <= 500;
                    """
                )
            case .servers, .bouncer:
                let rows = (1...500).map { "\($0)\t2027-05-01T12:00:00Z\t99.90" }.joined(separator: "\n")
                try await installation.write(
                    "COPY bookings (rental_id, start_at, base_price) FROM STDIN;\n\(rows)\n\\.\n"
                )
            }
            try await installation.replicateAndVerify()
        }
    }

    @Test("a rolled-back transaction or savepoint publishes nothing", arguments: InstallationKind.available)
    func rollbacks(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed(
                "seed",
                "--accounts",
                "1",
                "--rentals",
                "2",
                "--bookings",
                "0",
                "--fees",
                "0"
            )
            try await installation.succeed("relay", "--until-empty")
            try await installation.write(
                """
                BEGIN; UPDATE rentals SET name = 'never'; ROLLBACK;
                BEGIN; SAVEPOINT s; UPDATE rentals SET name = 'neither' WHERE id = 1; ROLLBACK TO SAVEPOINT s;
                UPDATE rentals SET name = 'kept' WHERE id = 2; COMMIT;
                """
            )
            try await installation.succeed("relay", "--until-empty")
            let messages = try await installation.withBroker { try await readAll("v3_rentals", from: $0) }
            #expect(messages.filter { $0.event == "rental_updated" }.map(\.key) == ["Rental:2"])
            #expect(!messages.contains { $0.value.text.contains("never") || $0.value.text.contains("neither") })
        }
    }

    @Test(
        "two relays and two consumers share the work and keep the order of every record",
        arguments: InstallationKind.all
    )
    func pairs(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed("seed")
            let services = try ["relay", "relay", "consume", "consume"].map { try installation.start($0) }
            try await installation.succeed("traffic", "--rate", "150", "--seconds", "15")
            for service in services {
                let result = await service.terminate()
                #expect(result.status == 0, "\(result.errors)")
            }
            try await installation.replicateAndVerify()
            try await expectOrder(in: installation)
        }
    }

    @Test(
        "relay and consumer are killed at random moments, and nothing is lost or out of order",
        arguments: InstallationKind.available
    )
    func kills(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed("seed")
            let traffic = try installation.start("traffic", "--rate", "150", "--seconds", "25")
            var relay = try installation.start("relay")
            var consumer = try installation.start("consume")
            var random = SystemRandomNumberGenerator()
            for _ in 0..<20 {
                // The test is about the time of the kill, so it is random instead of an event.
                try await ContinuousClock().sleep(for: .milliseconds(Int.random(in: 100...900, using: &random)))
                await relay.killAndWait()
                relay = try installation.start("relay")
                try await ContinuousClock().sleep(for: .milliseconds(Int.random(in: 50...400, using: &random)))
                await consumer.killAndWait()
                consumer = try installation.start("consume")
            }
            #expect(await traffic.result().status == 0)
            for service in [relay, consumer] {
                let result = await service.terminate()
                #expect(result.status == 0, "\(result.errors)")
            }
            try await installation.replicateAndVerify()
            try await expectOrder(in: installation)
        }
    }

    @Test("connections that the server ends are replaced, and nothing is lost")
    func endedConnections() async throws {
        guard InstallationKind.available.contains(.servers) else { return }
        try await Installation.with(.servers) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed("seed")
            let services = try ["relay", "consume"].map { try installation.start($0) }
            for seed in 1...4 {
                let traffic = try installation.start("traffic", "--rate", "100", "--seconds", "3", "--seed", "\(seed)")
                try await installation.write(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE pid <> pg_backend_pid() AND application_name = 'dionysus';
                    """
                )
                #expect(await traffic.result().status == 0)
            }
            for service in services {
                let result = await service.terminate()
                #expect(result.status == 0, "\(result.errors)")
            }
            try await installation.replicateAndVerify()
        }
    }

    /// Each record's versions never go back, and its messages first appear in the order of the outbox.
    ///
    /// Rentals observe accounts: a relay writes the rows for an account's change concurrently with the writers, so they
    /// may become visible in a different order from their ids. Only the order of versions is certain for them.
    private func expectOrder(in installation: Installation) async throws {
        for topic in ["v3_accounts", "v3_rentals", "v3_bookings"] {
            let messages = try await installation.withBroker { try await readAll(topic, from: $0) }
            #expect(!messages.isEmpty)
            for (key, messages) in Dictionary(grouping: messages, by: { "\($0.key) in \($0.partition)" }) {
                var seen: Set<Int> = []
                let rows = messages.compactMap { message -> Int? in
                    let id = message.headers[HeaderName.eventID]?.split(separator: "-").last.flatMap { Int($0) }
                    return id.flatMap { seen.insert($0).inserted ? $0 : nil }
                }
                if topic != "v3_rentals" { #expect(rows == rows.sorted(), "\(topic) \(key)") }
                let versions = messages.map(\.version)
                #expect(versions == versions.sorted(), "\(topic) \(key)")
            }
        }
    }
}
