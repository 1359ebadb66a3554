import Dionysus
import TestSupport
import Testing

/// The commands that inspect the log of handled events and handle events again.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct EventCommandTests {
    @Test("handled events are listed, shown and handled again", arguments: InstallationKind.all)
    func story(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            try await installation.write("INSERT INTO accounts (id, name) VALUES (1, 'Acme'), (2, 'Other');")
            try await installation.replicateAndVerify()
            try await installation.write("UPDATE accounts SET name = 'Acme & Sons' WHERE id = 1;")
            try await installation.replicateAndVerify()

            let all = try await list(installation)
            #expect(all.events.count == 3 && !all.more)
            let ofFirst = try await list(installation, "--entity", "1", "--model", "Account", "--topic", "v3_accounts")
            #expect(
                ofFirst.events.map { $0["event_type"] } == [.string("account_created"), .string("account_updated")]
            )
            let updates = try await list(installation, "--type", "account_updated")
            #expect(updates.events.count == 1)
            let cut = try await list(installation, "--limit", "1")
            #expect(cut.events.count == 1 && cut.more)
            guard case .integer(let created)? = ofFirst.events.first?["id"],
                case .integer(let updated)? = ofFirst.events.last?["id"]
            else {
                Issue.record("no ids")
                return
            }
            let rest = try await list(installation, "--after", "\(all.events.compactMap(id).min() ?? 0)")
            #expect(rest.events.count == 2)
            let text = try await installation.run("events", "list", "--limit", "1")
            #expect(text.output.contains("account_created") && text.errors.contains("raise --limit"))

            let shown = try await installation.succeed("events", "show", "\(updated)", "--json")
            let event = try JSON(parsing: Array(shown.utf8))
            guard case .array(let data)? = event["payload"]?["data"] else {
                Issue.record("no payload: \(shown)")
                return
            }
            #expect(data.first?["name"] == .string("Acme & Sons"))
            #expect(event["attempts"] == .integer(1) && event["key"] == .string("Account:1"))
            #expect(try await installation.succeed("events", "show", "\(updated)").contains("Acme & Sons"))

            // The older event no longer affects the replica.
            let retried = try await installation.succeed("events", "retry", "\(updated)", "\(created)")
            #expect(retried == "event \(updated) was handled\nevent \(created) was handled\n")
            try await installation.succeed("verify")
            let again = try await list(installation, "--entity", "1")
            #expect(again.events.map { $0["attempts"] } == [.integer(2), .integer(2)])

            let missing = try await installation.run("events", "retry", "999999", "\(updated)", "--json")
            #expect(missing.status == 1)
            #expect(
                missing.output.contains(
                    #"[{"id":999999,"outcome":"notFound","error":null},{"id":\#(updated),"outcome":"done","error":null}]"#
                )
            )
            let noEvent = try await installation.run("events", "show", "999999")
            #expect(noEvent.status == 1)
            #expect(noEvent.errors.hasPrefix("Error: the event log has no event 999999"))
        }
    }

    @Test("a missing event log is one line", arguments: InstallationKind.available)
    func missing(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            let result = try await installation.run("events", "list")
            #expect(result.status == 1)
            #expect(result.errors == "Error: there is no event log in the database: run migrate first\n")
        }
    }

    @Test(
        "wrong usage exits with 64 and says what is wrong",
        arguments: [
            (["events", "retry"], "id"), (["events", "show", "one"], "'one' is invalid"),
            (["events", "list", "--limit", "0"], "--limit must be from 1 to 100000"),
            (["events", "nonsense"], "nonsense"),
        ]
    )
    func usage(_ arguments: [String], _ message: String) async throws {
        try await Installation.with(.embedded) { installation in
            let result = try await installation.run(arguments)
            #expect(result.status == 64)
            #expect(result.errors.contains(message), "\(result.errors)")
        }
    }

    @Test("every command has help", arguments: ["list", "show", "retry"])
    func help(_ command: String) async throws {
        try await Installation.with(.embedded) { installation in
            let help = try await installation.succeed("events", command, "--help")
            #expect(help.contains("OVERVIEW") && help.contains("JSON: ") && help.contains("--json"))
        }
    }

    private func list(
        _ installation: Installation,
        _ arguments: String...
    ) async throws -> (events: [JSON], more: Bool) {
        let result = try await installation.run(["events", "list", "--json"] + arguments)
        let report = try JSON(parsing: Array(result.output.utf8))
        guard case .array(let events)? = report["events"] else { return ([], false) }
        return (events, report["more"] == .bool(true))
    }

    private func id(_ event: JSON) -> Int64? { if case .integer(let id)? = event["id"] { id } else { nil } }
}
