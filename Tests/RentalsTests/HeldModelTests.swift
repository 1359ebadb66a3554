import Dionysus
import TestSupport
import Testing

/// A model that can't be published, with other models in the same lanes, from the operator's point of view.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct HeldModelTests {
    private static func rows(_ kind: InstallationKind) -> String {
        let ids = Array(1...28)
        func list(_ row: (Int) -> String) -> String { ids.map(row).joined(separator: ", ") }
        return """
            INSERT INTO accounts (id, name) VALUES \(list { "(\($0), 'Account \($0)')" });
            INSERT INTO rentals (id, account_id, name, price) VALUES \(list { "(\($0), \($0), 'Rental \($0)', 10)" });
            INSERT INTO bookings (id, rental_id, start_at, base_price) VALUES \(list { "(\($0), \($0), '2026-01-01 00:00:00', 100)" });
            """
    }

    @Test(
        "84 rows of which one model's column is renamed: the others are published, an error names it, and all are published once it is back",
        arguments: InstallationKind.available
    )
    func renamed(_ kind: InstallationKind) async throws {
        try await HealthTests.withInstallation(kind) { installation in
            try await installation.succeed("migrate")
            let relay = try installation.start("relay")
            try await installation.wait(for: 0, "health", "relay")
            // In one transaction, so that the relay never sees these rows while the column exists.
            try await installation.write(
                "BEGIN; \(Self.rows(kind)) ALTER TABLE bookings RENAME COLUMN base_price TO price; COMMIT;"
            )
            let told = try await installation.wait(for: 1, "health", "relay", saying: "base_price")
            #expect(told.errors.contains("Booking") && told.errors.contains("v3_bookings"), "\(told.errors)")
            try await installation.waitForStatistics { $0["total"]?["published"] == .integer(56) }

            let stats = try await installation.statistics()
            #expect(stats["total"]?["pending"] == .integer(28), "\(stats.text)")
            #expect(stats["total"]?["retrying"] == .integer(0) && stats["total"]?["parked"] == .integer(0))
            guard case .array(let models) = stats["models"] else {
                Issue.record("no models: \(stats.text)")
                return
            }
            #expect(models.map { $0["model"] } == [.string("Booking")])
            let text = try await installation.succeed("outbox", "stats")
            #expect(text.contains("Booking is not published in v3_bookings") && text.contains("base_price"), "\(text)")

            try await installation.write("ALTER TABLE bookings RENAME COLUMN price TO base_price;")
            try await installation.wait(for: 0, "health", "relay")
            try await installation.waitForStatistics { $0["total"]?["published"] == .integer(84) }
            #expect(try await installation.statistics()["models"] == .array([]))
            #expect(relay.isRunning)
            #expect(await relay.terminate().status == 0)
            try await installation.replicateAndVerify()
        }
    }

    @Test(
        "relay --until-empty exits with 1 if a model's rows wait, and names the model",
        arguments: InstallationKind.available.filter { $0 == .servers }
    )
    func untilEmpty(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            let role = "dionysus_relay_\(UInt32.random(in: 0 ... .max))"
            try await installation.write(
                """
                \(Self.rows(kind)) CREATE ROLE \(role) LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO \(role);
                GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO \(role); REVOKE ALL ON bookings FROM \(role);
                """
            )
            var relay = installation
            let url = installation.environment["SOURCE_DATABASE_URL"] ?? ""
            let host = url.split(separator: "@", maxSplits: 1).last.map(String.init) ?? ""
            relay.environment["SOURCE_DATABASE_URL"] = "postgres://\(role)@\(host)"
            let left = try await relay.run("relay", "--until-empty")
            #expect(left.status == 1, "\(left.output)\(left.errors)")
            #expect(left.errors.contains("Booking") && left.errors.contains("v3_bookings"), "\(left.errors)")
            #expect(try await installation.statistics()["total"]?["published"] == .integer(56))
            try await installation.write("GRANT SELECT ON bookings TO \(role);")
            let all = try await relay.run("relay", "--until-empty")
            #expect(all.status == 0, "\(all.errors)")
            #expect(try await installation.statistics()["total"]?["published"] == .integer(84))
            try await installation.write("DROP OWNED BY \(role); DROP ROLE \(role);")
        }
    }
}

extension Installation {
    fileprivate func statistics() async throws -> JSON {
        try JSON(parsing: Array(try await succeed("outbox", "stats", "--json").utf8))
    }

    fileprivate func waitForStatistics(
        location: SourceLocation = #_sourceLocation,
        _ isAsExpected: (JSON) -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let statistics = try await statistics()
            if isAsExpected(statistics) { return }
            guard ContinuousClock.now < deadline else {
                Issue.record("\(statistics.text)", sourceLocation: location)
                return
            }
        }
    }
}
