import Dionysus
import Foundation
import TestSupport
import Testing

/// `dionysus init`, `check` and `diff`, from outside.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct InitCommandTests {
    @Test("the file of a database with tables of all kinds runs as it is", arguments: InstallationKind.available)
    func manyTables(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.write(ManyTables.script(kind))
            try await withTemporaryDirectory { directory in
                let file = "\(directory)/dionysus.yml"
                let written = try await dionysus(installation, "init", "-o", file)
                #expect(written.status == 0, "\(written.errors)")
                let text = try String(contentsOfFile: file, encoding: .utf8)
                for (table, reason) in ManyTables.refused {
                    #expect(text.contains("#   \(table): \(reason)"), "\(table)")
                }
                #expect(text.contains("Looks like secrets: password_digest"))
                #expect(!text.contains("      password_digest"))
                #expect(text.contains("soft_delete: deleted_at"))
                for command in ["check", "migrate", "validate"] {
                    let result = try await dionysus(installation, "-f", file, command)
                    #expect(result.status == 0, "\(command): \(result.errors)\(result.output)")
                }
                try await installation.write(
                    """
                    INSERT INTO "order" (id, "select", "two words") VALUES (1, 'a', 'b');
                    INSERT INTO people (id, name, parent_id) VALUES (1, 'Ann', NULL), (2, 'Bob', 1);
                    INSERT INTO plain_1 (id, name) VALUES (5, 'five');
                    """
                )
                let relayed = try await dionysus(installation, "-f", file, "relay", "--until-empty")
                #expect(relayed.status == 0, "\(relayed.errors)")
                let people = try await installation.withBroker { try await readAll("v1_people", from: $0) }
                #expect(people.map(\.key).sorted() == ["Person:1", "Person:2"])
                #expect(people.last { $0.key == "Person:2" }?.payload["links"]?["parent"] == .integer(1))
                let orders = try await installation.withBroker { try await readAll("v1_order", from: $0) }
                #expect(orders.first?.payload["two words"] == .string("b"))
                let again = try await dionysus(installation, "init", "-o", file)
                #expect(again.status == 1 && again.errors.contains("exists"))
            }
        }
    }

    @Test("columns that a file leaves out come from the database", arguments: InstallationKind.available)
    func columnsOfTheDatabase(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            try await installation.write(
                "INSERT INTO accounts (id, name, default_check_in_time) VALUES (1, 'Acme', 15);"
            )
            try await withTemporaryDirectory { directory in
                let file = "\(directory)/accounts.yml"
                let text = """
                    dionysus: 1
                    name: rentals
                    models:
                      Account: {}
                    namespaces:
                      v3:
                        serializers:
                          Account: { attributes: [id, name, default_check_in_time] }
                        topics:
                          accounts: { partition_key: id, publish: [Account] }
                    """
                try text.write(toFile: file, atomically: true, encoding: .utf8)
                let checked = try await dionysus(installation, "-f", file, "check")
                #expect(checked.status == 0 && checked.output.contains("the columns of Account"), "\(checked.errors)")
                let preview = try await dionysus(installation, "-f", file, "preview", "v3_accounts", "Account", "1")
                #expect(preview.output.contains("\"default_check_in_time\":15"), "\(preview.errors)\(preview.output)")
                try text.replacing("default_check_in_time", with: "default_chek_in_time")
                    .write(toFile: file, atomically: true, encoding: .utf8)
                let wrong = try await dionysus(installation, "-f", file, "preview", "v3_accounts", "Account", "1")
                #expect(wrong.status == 1)
                #expect(
                    wrong.errors.contains("accounts.yml:8:41: Account has no column default_chek_in_time; did you mean")
                )
            }
        }
    }

    @Test("diff says what breaks consumers and what is new")
    func diff() async throws {
        try await Installation.with(.embedded) { installation in
            try await withTemporaryDirectory { directory in
                let text = try String(contentsOfFile: Installation.file, encoding: .utf8)
                func write(_ name: String, _ text: String) throws -> String {
                    try text.write(toFile: "\(directory)/\(name)", atomically: true, encoding: .utf8)
                    return "\(directory)/\(name)"
                }
                let narrower = try write("narrower.yml", text.replacing("          - bedrooms\n", with: ""))
                let breaks = try await dionysus(installation, "diff", Installation.file, narrower)
                #expect(breaks.status == 1)
                #expect(
                    breaks.output.contains("breaks: topic v3_rentals, model Rental, attribute bedrooms"),
                    "\(breaks.output)"
                )
                let wider = try await dionysus(installation, "diff", narrower, Installation.file)
                #expect(wider.status == 0)
                #expect(
                    wider.output.contains("new: topic v3_rentals, model Rental: attribute bedrooms"),
                    "\(wider.output)"
                )
                let same = try await dionysus(installation, "diff", narrower, narrower)
                #expect(same.output.contains("both publish the same"))
            }
        }
    }

    @Test("wrong files and wrong usage end with one clear line")
    func wrongUsage() async throws {
        try await Installation.with(.embedded) { installation in
            let missing = try await dionysus(installation, "-f", "/nowhere/x.yml", "check")
            #expect(missing.status == 1 && missing.errors.contains("/nowhere/x.yml can't be read"))
            let none = try await dionysus(installation, "-f")
            #expect(none.status == 64)
            let unknown = try await dionysus(installation, "-f", Installation.file, "relais")
            #expect(unknown.status == 64)
            let help = try await dionysus(installation, "--help")
            #expect(help.status == 0 && help.output.contains("init") && help.output.contains("-f FILE"))
            let schema = try await dionysus(installation, "schema")
            let document = try JSON(parsing: Array(schema.output.utf8))
            #expect(document["properties"]?["models"]?["description"] != nil)
        }
    }

    private func dionysus(_ installation: Installation, _ arguments: String...) async throws -> RunningProcess.Result {
        try await RunningProcess(
            Installation.executable(named: "dionysus").path,
            arguments,
            environment: installation.environment
        )
        .result()
    }
}

/// A database with tables of all kinds.
private enum ManyTables {
    /// Those that can't be published, and why.
    static let refused = [
        ("keyless", "it has no primary key"), ("pairs", "its primary key has several columns: a, b"),
        ("measures", "its primary key at is of type"),
    ]

    static func script(_ kind: InstallationKind) -> String {
        let isServer = kind != .embedded
        let key = isServer ? "bigint PRIMARY KEY" : "INTEGER PRIMARY KEY"
        let time = isServer ? "timestamptz" : "timestamp"
        var statements = [
            "CREATE TABLE keyless (a integer, b text)",
            "CREATE TABLE pairs (a integer, b integer, PRIMARY KEY (a, b))",
            "CREATE TABLE measures (at \(isServer ? "timestamptz" : "REAL") PRIMARY KEY, value double precision)",
            "CREATE TABLE \"order\" (id \(key), \"select\" text, \"two words\" text, \"null\" text, \"true\" boolean)",
            "CREATE TABLE people (id \(key), name text NOT NULL, password_digest text, api_token text, parent_id bigint "
                + "REFERENCES people (id), deleted_at \(time))",
            "CREATE TABLE hosts (host_id \(key), person_id bigint REFERENCES people (id), partner bigint REFERENCES people (id))",
            "CREATE TABLE chickens (id \(key), egg_id bigint)",
            "CREATE TABLE eggs (id \(key), chicken_id bigint REFERENCES chickens (id))",
            "CREATE TABLE documents (id \(isServer ? "uuid" : "uuid") PRIMARY KEY, body \(isServer ? "jsonb" : "json"), "
                + "day date, price numeric(10,2), at \(time), flag boolean, ratio double precision, raw \(isServer ? "bytea" : "blob"))",
            "CREATE TABLE codes (code text PRIMARY KEY, label text)",
            "CREATE TABLE \"Mixed Case\" (id \(key), \"Größe\" text)",
            "CREATE TABLE schema_migrations (version text PRIMARY KEY)",
            "CREATE TABLE pair_notes (id \(key), a integer, b integer, FOREIGN KEY (a, b) REFERENCES pairs (a, b))",
        ]
        if isServer {
            statements += [
                "ALTER TABLE chickens ADD FOREIGN KEY (egg_id) REFERENCES eggs (id)",
                "CREATE SCHEMA extra", "CREATE TABLE extra.people (id \(key), tags text[], numbers integer[])",
                "CREATE TABLE extra.notes (id \(key), person_id bigint REFERENCES people (id))",
                "CREATE TABLE events (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id)",
                "CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (1) TO (100)",
                "CREATE TYPE mood AS ENUM ('good', 'bad')",
                "CREATE TABLE moods (id \(key), mood mood, address inet, doubled integer GENERATED ALWAYS AS (2) STORED)",
                "CREATE VIEW everyone AS SELECT * FROM people",
            ]
        } else {
            statements += [
                "CREATE TABLE loose (id INTEGER PRIMARY KEY, anything)", "CREATE VIEW everyone AS SELECT * FROM people",
                "CREATE TABLE rowless (id TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID",
            ]
        }
        statements += (1...26)
            .map { "CREATE TABLE plain_\($0) (id \(key), name text, person_id bigint REFERENCES people (id))" }
        return statements.map { $0 + ";" }.joined(separator: "\n")
    }
}
