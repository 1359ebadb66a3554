import Dionysus
import TestSupport
import Testing

/// The commands that inspect and repair the outbox.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct OutboxCommandTests {
    private static let ghost = """
        INSERT INTO dionysus_outboxes (resource_class, resource_id, event_name, topic, created_at, updated_at)
        VALUES ('Ghost', '1', 'ghost_created', 'v3_ghosts', '2026-01-01 00:00:00', '2026-01-01 00:00:00');
        """

    @Test("a failed row is listed, shown, retried and discarded", arguments: InstallationKind.all)
    func story(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            var installation = installation
            installation.environment["DIONYSUS_MAX_ATTEMPTS"] = "1"
            try await installation.succeed("migrate")
            try await installation.write(Self.ghost + "INSERT INTO accounts (id, name) VALUES (1, 'Acme');")
            let left = try await installation.run("relay", "--until-empty")
            #expect(left.status == 2 && left.errors.contains("1 rows are parked"), "\(left.errors)")

            let stats = try JSON(parsing: Array(try await installation.succeed("outbox", "stats", "--json").utf8))
            #expect(stats["total"]?["parked"] == .integer(1))
            #expect(stats["total"]?["published"] == .integer(1))
            #expect(stats["total"]?["oldest_age"] == .null)
            #expect(try await installation.succeed("outbox", "stats").contains("v3_ghosts"))

            let list = try JSON(
                parsing: Array(try await installation.succeed("outbox", "list", "--parked", "--json").utf8)
            )
            guard case .array(let rows) = list["rows"], case .integer(let id) = rows.first?["id"] else {
                Issue.record("no row: \(list.text)")
                return
            }
            #expect(rows.count == 1 && list["more"] == .bool(false))
            #expect(rows.first?["state"] == .string("parked") && rows.first?["model"] == .string("Ghost"))

            let shown = try await installation.succeed("outbox", "show", "\(id)")
            #expect(shown.contains("declare it and retry the row") && shown.contains("ghost_created"))

            // Once due, it fails again, because its cause has not been fixed.
            let retried = try await installation.succeed("outbox", "retry", "\(id)", "--json")
            #expect(retried.contains(#"[{"id":\#(id),"outcome":"done"}]"#))
            let due = try await installation.succeed("outbox", "list", "--failed", "--model", "Ghost")
            #expect(due.contains("retrying"))
            #expect(try await installation.run("relay", "--until-empty").status == 2)
            #expect(try await installation.succeed("outbox", "list", "--parked").contains("Ghost:1"))

            let discarded = try await installation.succeed("outbox", "discard", "\(id)", "--reason", "no such model")
            #expect(discarded.contains("row \(id) is discarded"))
            #expect(try await !installation.succeed("outbox", "list").contains("Ghost:1"))
            let evidence = try await installation.succeed("outbox", "show", "\(id)")
            #expect(evidence.contains("discarded (no such model): row \(id) of the outbox is for model Ghost"))

            let again = try await installation.run("outbox", "discard", "\(id)", "999999")
            #expect(again.status == 1)
            #expect(again.errors.contains("row \(id) has already been published"))
            #expect(again.errors.contains("row 999999 does not exist"))
        }
    }

    @Test(
        "relay --until-empty reports the remaining rows, and uninstall refuses to lose them",
        arguments: InstallationKind.available
    )
    func leavings(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            // Nothing to lose yet.
            try await installation.succeed("uninstall")
            try await installation.succeed("migrate")
            try await installation.succeed("uninstall")
            try await installation.succeed("migrate")
            try await installation.write("INSERT INTO accounts (id, name) VALUES (1, 'Acme');")
            let pending = try await installation.run("uninstall")
            #expect(pending.status == 1)
            #expect(pending.errors.contains("1 pending") && pending.errors.contains("--force"), "\(pending.errors)")
            try await installation.succeed("relay", "--until-empty")

            try await installation.write(Self.ghost)
            let failed = try await installation.run("relay", "--until-empty")
            #expect(failed.status == 1)
            #expect(failed.errors.contains("1 failed rows wait"), "\(failed.errors)")
            let retrying = try await installation.run("uninstall")
            #expect(retrying.status == 1 && retrying.errors.contains("1 retrying"), "\(retrying.errors)")
            // Everything still exists.
            try await installation.succeed("validate")
            try await installation.write("INSERT INTO accounts (id, name) VALUES (2, 'Other');")
            #expect(try await installation.succeed("outbox", "stats", "--json").contains(#""pending":1"#))
            try await installation.succeed("uninstall", "--force")
            #expect(try await installation.run("outbox", "stats").status == 1)
        }
    }

    @Test("old published rows are pruned", arguments: InstallationKind.available)
    func pruning(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            try await installation.write("INSERT INTO accounts (id, name) VALUES (1, 'Acme'), (2, 'Other');")
            try await installation.succeed("relay", "--until-empty")
            #expect(try await installation.succeed("outbox", "prune", "--older-than", "3d") == "0 rows deleted\n")
            try await installation.write(
                """
                UPDATE dionysus_outboxes SET created_at = '2026-01-01 00:00:00', published_at = '2026-01-01 00:00:00'
                WHERE resource_id = '1';
                """
            )
            #expect(
                try await installation.succeed("outbox", "prune", "--older-than", "3d", "--json") == "{\"deleted\":1}\n"
            )
        }
    }

    @Test("a relay deletes published rows after the configured age", arguments: InstallationKind.available)
    func retention(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            var installation = installation
            try await installation.succeed("migrate")
            try await installation.write(
                """
                INSERT INTO dionysus_outboxes
                  (id, resource_class, resource_id, event_name, topic, created_at, updated_at, published_at)
                VALUES (1, 'Rental', '1', 'rental_created', 'v3_rentals', '2026-01-01 00:00:00', '2026-01-01 00:00:00',
                  '2026-01-01 00:00:00');
                """
            )
            installation.environment["DIONYSUS_RETENTION"] = "3 days"
            let wrong = try await installation.run("relay")
            #expect(wrong.status == 1 && wrong.errors.contains("DIONYSUS_RETENTION must be a whole number and a unit"))
            installation.environment["DIONYSUS_RETENTION"] = "72h"
            #expect(try await installation.succeed("config").contains("3d"))
            let relay = try installation.start("relay")
            while try await installation.run("outbox", "show", "1").status == 0 {}
            #expect(await relay.terminate().status == 0)
        }
    }

    @Test(
        "wrong usage exits with 64 and says what is wrong",
        arguments: [
            (["outbox", "prune", "--older-than", "3"], "older-than"),
            (["outbox", "prune", "--older-than", "3 d"], "older-than"),
            (["outbox", "prune", "--older-than", "-3d"], "older-than"),
            (["outbox", "prune", "--older-than", "1.5h"], "older-than"),
            (["outbox", "prune"], "older-than"),
            (["outbox", "retry"], "id"),
            (["outbox", "retry", "one"], "'one' is invalid"),
            (["outbox", "list", "--limit", "0"], "--limit must be from 1 to 100000"),
            (["outbox", "nonsense"], "nonsense"),
        ]
    )
    func usage(_ arguments: [String], _ message: String) async throws {
        try await Installation.with(.embedded) { installation in
            let result = try await installation.run(arguments)
            #expect(result.status == 64)
            #expect(result.errors.contains(message), "\(result.errors)")
        }
    }

    @Test("a missing outbox and a missing row are one line", arguments: InstallationKind.available)
    func missing(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            let notMigrated = try await installation.run("outbox", "stats")
            #expect(notMigrated.status == 1)
            let error = "Error: there is no outbox dionysus_outboxes in the database: run migrate first\n"
            #expect(notMigrated.errors == error)
            try await installation.succeed("migrate")
            let noRow = try await installation.run("outbox", "show", "7")
            #expect(noRow.status == 1)
            #expect(noRow.errors.hasPrefix("Error: the outbox has no row 7"))
        }
    }

    @Test("every command has help", arguments: ["stats", "list", "show", "retry", "discard", "prune"])
    func help(_ command: String) async throws {
        try await Installation.with(.embedded) { installation in
            let help = try await installation.succeed("outbox", command, "--help")
            #expect(help.contains("OVERVIEW") && help.contains("JSON: ") && help.contains("--json"))
        }
    }
}
