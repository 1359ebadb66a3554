import Dionysus
import TestSupport
import Testing

/// The commands about topics and tombstones.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct TopicCommandTests {
    @Test("topics are shown, created once, and compared with their declaration", arguments: InstallationKind.available)
    func topics(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            var installation = installation
            #expect(try await installation.run("topics", "--check").status == 1)
            let before = try await installation.report("topics", "--json")
            #expect(
                before.map { $0["topic"] } == [
                    .string("v3_accounts"), .string("v3_accounts_genesis"), .string("v3_rentals"),
                    .string("v3_bookings"), .string("dead_messages"),
                ]
            )
            #expect(before.allSatisfy { $0["exists"] == .bool(false) && $0["partitions"] == .null })
            #expect(before[1]["uses"] == .array([.string("genesis")]))
            #expect(before[2]["uses"] == .array([.string("produce"), .string("consume")]))
            #expect(before[4]["uses"] == .array([.string("dead_letters")]))

            let created = try await installation.report("topics", "--create", "--json")
            #expect(created.allSatisfy { $0["created"] == .bool(true) && $0["partitions"] == .integer(4) })
            #expect(try await installation.succeed("topics", "--check").contains("v3_accounts_genesis"))
            let again = try await installation.report("topics", "--create", "--json")
            #expect(again.allSatisfy { $0["created"] == .bool(false) && $0["exists"] == .bool(true) })

            installation.environment["DIONYSUS_TOPIC_PARTITIONS"] = "12"
            let drifted = try await installation.report("topics", "--create", "--json")
            #expect(
                drifted[0]["drift"]
                    == .array([
                        .object([
                            "setting": .string("partitions"), "declared": .string("12"), "actual": .string("4"),
                        ])
                    ])
            )
            #expect(try await installation.succeed("topics").contains("partitions: declared 12, has 4"))
            #expect(try await installation.run("topics", "--check").status == 1)
        }
    }

    @Test("topics get the configured number of partitions")
    func partitions() async throws {
        try await Installation.with(.embedded) { installation in
            var installation = installation
            installation.environment["DIONYSUS_TOPIC_PARTITIONS"] = "7"
            let created = try await installation.report("topics", "--create", "--json")
            #expect(created.allSatisfy { $0["partitions"] == .integer(7) && $0["drift"] == .array([]) })
            installation.environment["DIONYSUS_TOPIC_PARTITIONS"] = "0"
            let wrong = try await installation.run("topics")
            #expect(wrong.status == 1)
            #expect(wrong.errors.contains("partitions must be from 1 to 100000"))
        }
    }

    @Test(
        "a tombstone is sent for a deleted record, and refused for an existing one",
        arguments: InstallationKind.all
    )
    func tombstone(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed("topics", "--create")
            try await installation.write("INSERT INTO accounts (id, name) VALUES (1, 'Acme');")
            try await installation.succeed("relay", "--until-empty")
            let alive = try await installation.run("tombstone", "v3_accounts", "Account", "1")
            #expect(alive.status == 1)
            #expect(alive.errors.split(separator: "\n").count == 1)
            #expect(alive.errors.contains("Account:1 is still there"))
            try await installation.write("DELETE FROM accounts;")
            try await installation.succeed("relay", "--until-empty")
            let sent = try await installation.report("tombstone", "v3_accounts", "Account", "1", "--json")
            #expect(sent.count == 8)
            let one = try await installation.succeed(
                "tombstone",
                "v3_accounts",
                "Account",
                "1",
                "--partition-key",
                "1"
            )
            #expect(one.split(separator: "\n").count == 3)
            // Neither model nor id if the key isn't a record's.
            let own = try await installation.succeed("tombstone", "v3_rentals", "--key", "RecordsCollection:1")
            #expect(own.split(separator: "\n").count == 5)
            let other = try await installation.withBroker { try await readRaw("v3_rentals", from: $0) }
            #expect(other.map(\.key) == Array(repeating: Array("RecordsCollection:1".utf8), count: 4))
            for wrong in [
                ["v3_rentals"], ["v3_rentals", "Rental"], ["v3_rentals", "--key", ""], ["v9", "--key", "a"],
            ] {
                let result = try await installation.run(["tombstone"] + wrong)
                #expect(result.status == 64, "\(wrong)")
            }
            let log = try await installation.withBroker { try await readRaw("v3_accounts", from: $0) }
            #expect(log.filter { $0.value == nil }.map(\.key) == Array(repeating: Array("Account:1".utf8), count: 5))

            // The replica keeps a record, whatever happens to it in the log.
            try await installation.write("INSERT INTO accounts (id, name) VALUES (2, 'Other');")
            try await installation.succeed("relay", "--until-empty")
            try await installation.succeed("tombstone", "v3_accounts", "Account", "2", "--force")
            try await installation.replicateAndVerify()
        }
    }

    @Test("both commands have help", arguments: ["topics", "tombstone"])
    func help(_ command: String) async throws {
        try await Installation.with(.embedded) { installation in
            let help = try await installation.succeed(command, "--help")
            #expect(help.contains("OVERVIEW") && help.contains("JSON: ") && help.contains("--json"))
        }
    }
}

extension Installation {
    /// The report of a command that prints a list.
    fileprivate func report(_ arguments: String...) async throws -> [JSON] {
        let result = try await run(arguments)
        #expect(result.status == 0, "\(arguments): \(result.errors)")
        guard case .array(let lines) = try JSON(parsing: Array(result.output.utf8)) else {
            Issue.record("no list: \(result.output)")
            return []
        }
        return lines
    }
}
