import Dionysus
import DionysusPostgres
import DionysusProducer
import Foundation
import TestSupport
import Testing

/// Writes that are made twice, on tables that are captured and on their twins that aren't: whatever a writer sees has to be
/// the same.
struct CapturedWrite: Sendable, CustomTestStringConvertible {
    /// A table whose changes are captured.
    struct Captured: Sendable {
        var table = "t"
        var key = "id"
        var softDeleteColumn: String?
        var partitionKey: String?
        var kept: [String] = []
        var observed: [String] = []
        var changeset = ChangesetContent.values
        /// A column of this table that leads to the key of another, whose records change with it.
        var reference: (column: String, table: String)?
    }

    /// What the outbox has to have recorded.
    enum Recorded: Sendable {
        /// The last event of each record that has come, changed or gone.
        case allChanges
        /// Exactly these: event and key.
        case exactly([String])
    }

    let name: String
    let tables: [Captured]
    let setup: String
    /// What is done to the captured tables before the write, without a change of their rows that is captured.
    let alteration: String
    let script: String
    let recorded: Recorded
    /// What capture may refuse, by its code, beyond what the database refuses anyway.
    let refusal: String?

    init(
        _ name: String,
        on tables: [Captured] = [Captured(partitionKey: "k", kept: ["n"])],
        setup: String = "",
        altered alteration: String = "",
        recorded: Recorded = .allChanges,
        refusal: String? = nil,
        _ script: String
    ) {
        self.name = name
        self.tables = tables
        self.setup = setup
        self.alteration = alteration
        self.script = script
        self.recorded = recorded
        self.refusal = refusal
    }

    var testDescription: String { name }
}

/// A database with both kinds of tables, each write's in two schemas of their own.
struct CapturedWriteTrial {
    private static let standardTable = """
        CREATE TABLE t (id bigint PRIMARY KEY, k text, v text, n int NOT NULL DEFAULT 0, u int UNIQUE);
        INSERT INTO t VALUES (1, 'a', 'one', 1, 1), (2, 'a', 'two', 2, 2), (3, 'b', 'three', 3, 3), (4, 'b', NULL, 4, NULL);
        """

    private let url: String
    private let database: PostgresDatabase
    /// A role that has no rights but those that a write's setup grants it.
    private let role: String

    static func run(_ writes: [CapturedWrite]) async throws {
        try await withTemporaryPostgresURL { url in
            let database = try PostgresDatabase(url: url)
            let role = "dionysus_writer_\(UInt32.random(in: 0 ... .max))"
            let trial = CapturedWriteTrial(url: url, database: database, role: role)
            do {
                try await trial.check(writes)
            } catch {
                await database.close()
                throw error
            }
            _ = try await trial.psql("DROP OWNED BY \(role); DROP ROLE \(role);", in: "public")
            await database.close()
        }
    }

    private func check(_ writes: [CapturedWrite]) async throws {
        let registry = Registry(NothingPublished(), settings: ProducerSettings())
        try await OutboxSchema(database: database, registry: registry).migrate(lanes: 4)
        var setup = "SET client_min_messages = warning; CREATE ROLE \(role) LOGIN;\n"
        for (index, write) in writes.enumerated() {
            for schema in ["bare\(index)", "kept\(index)"] {
                setup += """
                    CREATE SCHEMA \(schema); GRANT USAGE ON SCHEMA \(schema) TO \(role);
                    SET search_path = \(schema), public;
                    \\set s \(schema)
                    \(write.setup.contains("CREATE TABLE t ") ? "" : Self.standardTable)
                    \(write.setup)

                    """
            }
        }
        let made = try await psql(setup, in: "public", quietly: true)
        try #require(made.errors == "", "\(made.errors)")
        try await capture(writes)
        for (index, write) in writes.enumerated() { try await check(write, index) }
    }

    private func capture(_ writes: [CapturedWrite]) async throws {
        let tables = writes.enumerated()
            .flatMap { index, write in write.tables.map { Self.capture($0, schema: "kept\(index)") } }
        try await database.transaction(.write) { transaction in
            let report = try database.outbox.captureReport(CaptureRequest(tables: tables), in: &transaction)
            for difference in report.differences { try transaction.run(difference.statements) }
        }
    }

    private static func capture(_ table: CapturedWrite.Captured, schema: String) -> TableCapture {
        var capture = TableCapture(table: "\(schema).\(table.table)", primaryKey: table.key)
        func record(_ name: String, _ topic: String) -> RecordCapture {
            RecordCapture(
                modelName: "R",
                singular: "r",
                table: "\(schema).\(name)",
                primaryKey: table.key,
                softDeleteColumn: name == table.table ? table.softDeleteColumn : nil,
                topics: [
                    .init(name: topic, partitionKey: table.partitionKey.map { .column($0) } ?? .none)
                ],
                keptColumns: name == table.table ? table.kept : [],
                changeset: table.changeset
            )
        }
        capture.records = [record(table.table, "\(schema).\(table.table)")]
        if !table.observed.isEmpty {
            capture.observed = ObservedCapture(modelName: "R", singular: "r", columns: table.observed)
        }
        if let reference = table.reference {
            let hop = AssociationHop(
                column: reference.column,
                otherTable: "\(schema).\(reference.table)",
                otherColumn: "id"
            )
            var parent = record(reference.table, "parents of \(schema)")
            parent.topics[0].partitionKey = .none
            capture.affected = [AffectedCapture(record: parent, path: [hop], columns: nil)]
        }
        return capture
    }

    private func check(_ write: CapturedWrite, _ index: Int) async throws {
        let (bare, kept) = ("bare\(index)", "kept\(index)")
        if !write.alteration.isEmpty {
            for schema in [bare, kept] {
                let altered = try await psql(write.alteration, in: schema, quietly: true)
                try #require(altered.errors == "", "\(write.name): \(altered.errors)")
            }
        }
        let before = try await contents(of: write, in: kept)
        let twin = try await psql(write.script, in: bare)
        let result = try await psql(write.script, in: kept)
        let after = try await contents(of: write, in: kept)
        let failed = result.errors.split(separator: "\n").filter { $0.contains("ERROR") }
        if let refusal = write.refusal {
            #expect(failed.contains { $0.contains(refusal) }, "\(write.name): \(result.errors)")
        } else {
            #expect(result.errors == twin.errors, "\(write.name): an uncaptured write says \(twin.errors)")
            #expect(result.output == twin.output, "\(write.name): an uncaptured write says \(twin.output)")
            let contents = try await contents(of: write, in: bare)
            #expect(after == contents, "\(write.name): an uncaptured write leaves \(contents)")
        }
        for table in write.tables {
            let events = try await events(of: "\(kept).\(table.table)")
            switch write.recorded {
            case .exactly(let expected):
                #expect(events.map { "\($0.event) \($0.key)" } == expected, "\(write.name)")
            case .allChanges:
                Self.compare(events, before[table.table] ?? [:], after[table.table] ?? [:], write.name)
            }
        }
    }

    private static func compare(
        _ events: [(event: String, key: String)],
        _ before: [String: String],
        _ after: [String: String],
        _ name: String
    ) {
        let last = Dictionary(events.map { ($0.key, $0.event) }, uniquingKeysWith: { $1 })
        for key in Set(before.keys).union(after.keys) where before[key] != after[key] {
            let expected =
                after[key] == nil ? ["r_destroyed"] : before[key] == nil ? ["r_created", "r_updated"] : ["r_updated"]
            let told = last[key] ?? "nothing"
            // A record that was soft-deleted on the way, or deleted and made again, has another last event.
            #expect(
                expected.contains(told) || after[key] != nil && ["r_created", "r_destroyed"].contains(told),
                "\(name): record \(key) has changed, and the outbox tells \(told)"
            )
        }
    }

    private func contents(of write: CapturedWrite, in schema: String) async throws -> [String: [String: String]] {
        var contents: [String: [String: String]] = [:]
        for table in write.tables {
            contents[table.table] = try await database.transaction(.snapshot) { transaction in
                try transaction.run("SET LOCAL extra_float_digits = 1")
                let rows = try transaction.run(
                    """
                    SELECT coalesce(t.\(identifier: table.key)::text, ''), md5(t::text)
                    FROM \(identifier: "\(schema).\(table.table)") t
                    """
                )
                return Dictionary(
                    try rows.rows.map { (try $0.text(0) ?? "", try $0.text(1) ?? "") },
                    uniquingKeysWith: { $0 + $1 }
                )
            }
        }
        return contents
    }

    private func events(of topic: String) async throws -> [(event: String, key: String)] {
        try await database.transaction(.snapshot) { transaction in
            try transaction
                .run("SELECT event_name, resource_id FROM dionysus_outboxes WHERE topic = \(topic) ORDER BY id").rows
                .map { (try $0.text(0) ?? "", try $0.text(1) ?? "") }
        }
    }

    /// Runs a script as any other program would.
    private func psql(_ script: String, in schema: String, quietly: Bool = false) async throws -> RunningProcess.Result
    {
        let process = try RunningProcess(
            "psql",
            [
                "-XAtw", "-v", "VERBOSITY=\(quietly ? "default" : "sqlstate")", "-v", "s=\(schema)", "-v",
                "role=\(role)",
                "-v", "admin=\(URLComponents(string: url)?.user ?? "")", "-v", "QUIET=\(quietly ? "on" : "off")", url,
            ],
            environment: ["PGOPTIONS": "-c search_path=\(schema),public -c statement_timeout=60s"],
            input: script + "\n"
        )
        return await process.result()
    }
}

private struct NothingPublished: Producer {
    var namespaces: [Namespace] { [] }
}
