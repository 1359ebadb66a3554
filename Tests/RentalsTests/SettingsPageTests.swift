import Foundation
import TestSupport
import Testing

/// The settings on their page and in their command.
@Suite struct SettingsPageTests {
    @Test("the settings page has the generated tables; script/docs updates them")
    func page() async throws {
        try await Installation.with(.embedded) { installation in
            let page = URL(filePath: #filePath).appending(path: "../../../docs/settings.md").standardized
            let tables = try await installation.succeed("config", "--markdown")
            #expect(try String(contentsOf: page, encoding: .utf8).contains("\n\n\(tables)\n<!--"))
        }
    }

    @Test("a pool of one connection is enough for every process", arguments: InstallationKind.available)
    func smallestPool(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            var smallest = installation
            smallest.environment["DIONYSUS_DATABASE_CONNECTIONS"] = "1"
            try await smallest.succeed("migrate")
            try await smallest.succeed("seed", "--accounts", "2", "--rentals", "20", "--bookings", "40", "--fees", "80")
            try await smallest.succeed("genesis", "start", "v3_rentals", "Rental")
            try await smallest.replicateAndVerify()
            smallest.environment["DIONYSUS_DATABASE_CONNECTIONS"] = "0"
            let refused = try await smallest.run("config")
            #expect(refused.status == 1)
            #expect(refused.errors.contains("DIONYSUS_DATABASE_CONNECTIONS must be at least 1"))
        }
    }
}
