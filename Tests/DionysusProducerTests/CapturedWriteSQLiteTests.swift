import Dionysus
import DionysusProducer
import DionysusSQLite
import Foundation
import TestSupport
import Testing

/// Capture makes no write to SQLite fail, changes nothing that a writer sees, and misses no record: each write is made in a
/// captured file and in one that isn't, by another program.
@Suite(.timeLimit(.minutes(10))) struct CapturedWriteSQLiteTests {
    private struct Write {
        let name: String
        var setup = "CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT, v, n INTEGER NOT NULL DEFAULT 0, u UNIQUE)"
        /// Whether the outbox has to tell of each change; where a key is no text, it can't.
        var isTold = true
        let script: String

        init(_ name: String, setup: String? = nil, isTold: Bool = true, _ script: String) {
            self.name = name
            if let setup { self.setup = setup }
            self.isTold = isTold
            self.script = script
        }
    }

    private static let seeds = "INSERT INTO t (id, k, v) VALUES (1, 'a', 'one'), (2, 'b', 'two'), (3, NULL, NULL)"

    private static let writes: [Write] = [
        Write(
            "every form of statement",
            """
            INSERT INTO t (id, v) VALUES (10, 'x'), (11, 'y') RETURNING *; INSERT INTO t (id) SELECT id + 100 FROM t; INSERT INTO t DEFAULT VALUES;
            UPDATE t SET v = 'u' WHERE id = 1 RETURNING v; UPDATE t SET v = o.v FROM (SELECT 2 AS id, 'from' AS v) o WHERE t.id = o.id;
            UPDATE t SET id = 50 WHERE id = 3; UPDATE t SET v = v; DELETE FROM t WHERE id > 100; SELECT changes(), last_insert_rowid();
            WITH c AS (SELECT 2 AS id) DELETE FROM t WHERE id IN c; DELETE FROM t;
            """
        ),
        Write(
            "every way out of a conflict",
            """
            INSERT OR REPLACE INTO t (id, v, u) VALUES (1, 'r', 5); REPLACE INTO t (id, u) VALUES (2, 5); INSERT OR IGNORE INTO t (id, v) VALUES (2, 'no'), (20, 'yes');
            INSERT OR FAIL INTO t (id) VALUES (30), (2), (31); INSERT OR ABORT INTO t (id) VALUES (40), (2); INSERT OR ROLLBACK INTO t (id) VALUES (2);
            UPDATE OR REPLACE t SET id = 20 WHERE id = 2; UPDATE OR IGNORE t SET id = 1 WHERE id = 3; UPDATE OR FAIL t SET id = 1;
            INSERT INTO t (id, v) VALUES (1, 'up') ON CONFLICT (id) DO UPDATE SET v = excluded.v; INSERT INTO t (id, u) VALUES (60, 5) ON CONFLICT DO NOTHING;
            INSERT INTO t (id, n) VALUES (70, NULL); INSERT OR IGNORE INTO t (id, n) VALUES (71, NULL); INSERT OR REPLACE INTO t (id, n) VALUES (72, NULL);
            """
        ),
        Write(
            "transactions and savepoints",
            """
            BEGIN; DELETE FROM t; ROLLBACK; BEGIN IMMEDIATE; SAVEPOINT a; DELETE FROM t WHERE id = 1; ROLLBACK TO a; UPDATE t SET v = 's' WHERE id = 2; RELEASE a; COMMIT;
            SAVEPOINT b; INSERT INTO t (id) VALUES (80); RELEASE b;
            """
        ),
        Write(
            "values of every kind in columns without a type",
            """
            INSERT INTO t (id, v) VALUES (10, 9e999), (11, -9e999), (12, x'00ff'), (13, x''), (14, 'a' || char(0) || 'b'), (15, CAST(x'ff41' AS TEXT)), (16, 1e308), (17, -0.0), (18, 9223372036854775807);
            UPDATE t SET v = 9e999 WHERE id = 1; UPDATE t SET v = -v WHERE id IN (1, 10, 11); UPDATE t SET v = x'01' WHERE id = 12; UPDATE t SET v = CAST(v AS TEXT) WHERE id > 12;
            UPDATE t SET k = x'ff', u = 9e999 WHERE id = 2; UPDATE t SET k = 9e999 WHERE id = 2; DELETE FROM t WHERE id > 1;
            """
        ),
        Write(
            "keys of every kind",
            setup: "CREATE TABLE t (id PRIMARY KEY, k, v)",
            isTold: false,
            """
            INSERT INTO t (id) VALUES (NULL), (NULL), (x'00ff'), (9e999), (1.5), ('text'), (x'6A2F41A3C54C4CE893D20324E1C32E22'), ('a' || char(0));
            UPDATE t SET v = 'x'; UPDATE t SET id = 'other' WHERE id = 1.5; UPDATE t SET id = NULL WHERE id = 'text'; DELETE FROM t WHERE id IS NULL;
            INSERT OR REPLACE INTO t (id) VALUES (x'00ff'); INSERT OR IGNORE INTO t (id) VALUES (NULL); DELETE FROM t;
            """
        ),
        Write(
            "a strict table without a rowid",
            setup: "CREATE TABLE t (id TEXT PRIMARY KEY, k TEXT, v ANY) STRICT, WITHOUT ROWID",
            "INSERT INTO t VALUES ('x', 'k', 1.5), ('y', 'k', x'00'); INSERT INTO t VALUES (NULL, 'k', 1); INSERT INTO t VALUES ('z', x'00', 1); UPDATE t SET v = 9e999; REPLACE INTO t VALUES ('x', 'l', 1); DELETE FROM t WHERE id = 'y';"
        ),
        Write(
            "generated columns, checks and collations",
            setup:
                "CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT COLLATE NOCASE UNIQUE, v CHECK (v <> 'bad'), g AS (upper(k)) STORED, h AS (length(v)) VIRTUAL)",
            "UPDATE t SET k = 'c' WHERE id = 1; UPDATE t SET k = 'B' WHERE id = 2; UPDATE t SET v = 'bad'; UPDATE t SET g = 1; INSERT OR REPLACE INTO t (id, k) VALUES (9, 'C');"
        ),
        Write(
            "cascades, triggers and views of the application",
            setup: """
                CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT, v, p REFERENCES t (id) ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED);
                CREATE VIEW seen AS SELECT id, v FROM t; CREATE TRIGGER instead INSTEAD OF UPDATE ON seen BEGIN UPDATE t SET v = NEW.v WHERE id = OLD.id; END;
                CREATE TABLE audit (id, v); CREATE TRIGGER noted AFTER UPDATE ON t BEGIN INSERT INTO audit VALUES (NEW.id, NEW.v); UPDATE t SET k = 'noted' WHERE id = NEW.id AND k IS NOT 'noted'; END;
                CREATE TRIGGER refused BEFORE DELETE ON t WHEN OLD.v = 'keep' BEGIN SELECT RAISE(ABORT, 'kept'); END
                """,
            """
            PRAGMA foreign_keys = on; PRAGMA recursive_triggers = on; INSERT INTO t (id, v, p) VALUES (10, 'x', 1), (11, 'y', 10);
            UPDATE t SET id = 100 WHERE id = 1; UPDATE seen SET v = 'view' WHERE id = 2; UPDATE t SET v = 'keep' WHERE id = 3; DELETE FROM t WHERE id = 3; DELETE FROM t WHERE id = 100;
            BEGIN; INSERT INTO t (id, p) VALUES (20, 21); INSERT INTO t (id) VALUES (21); COMMIT; INSERT INTO t (id, p) VALUES (30, 31);
            CREATE TEMP TRIGGER temporary AFTER INSERT ON t BEGIN SELECT 1; END; INSERT INTO t (id) VALUES (40); SELECT * FROM audit;
            """
        ),
        Write(
            "settings of a connection",
            """
            UPDATE t SET v = 'a'; PRAGMA recursive_triggers = on; REPLACE INTO t (id) VALUES (1); PRAGMA reverse_unordered_selects = on; UPDATE t SET v = 'b';
            PRAGMA case_sensitive_like = on; PRAGMA ignore_check_constraints = on; UPDATE t SET v = 'c'; PRAGMA cell_size_check = on; PRAGMA temp_store = memory; PRAGMA legacy_alter_table = on; UPDATE t SET v = 'd';
            PRAGMA synchronous = off; PRAGMA journal_mode = delete; UPDATE t SET v = 'e'; PRAGMA locking_mode = exclusive; UPDATE t SET v = 'f'; PRAGMA query_only = on; UPDATE t SET v = 'g'; PRAGMA query_only = off; DELETE FROM t WHERE id = 1;
            """
        ),
        Write(
            "changes of the schema",
            """
            ALTER TABLE t ADD COLUMN more; UPDATE t SET more = 1; ALTER TABLE t RENAME COLUMN more TO less; UPDATE t SET less = 2; ALTER TABLE t DROP COLUMN less; UPDATE t SET v = 'x';
            CREATE INDEX later ON t (v); REINDEX; VACUUM; ANALYZE; UPDATE t SET v = 'y'; ALTER TABLE t RENAME TO s; UPDATE s SET v = 'z'; ALTER TABLE s RENAME TO t;
            """
        ),
        Write(
            "large values and large documents",
            """
            UPDATE t SET v = zeroblob(520000000) WHERE id = 1; UPDATE t SET v = zeroblob(5) WHERE id = 1; UPDATE t SET v = replace(hex(zeroblob(5000000)), '0', 'x') WHERE id = 2;
            UPDATE t SET k = v WHERE id = 2; DELETE FROM t WHERE id = 2;
            """
        ),
        Write(
            "a table of many columns",
            setup:
                "CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT, v, \((0..<900).map { "c\($0)" }.joined(separator: ", ")))",
            "UPDATE t SET c899 = 1; INSERT INTO t (id, c0) VALUES (9, 9); DELETE FROM t WHERE id = 1;"
        ),
    ]

    @Test("every form of statement, table and value", arguments: [ChangesetContent.minimal, .values])
    func writes(_ changeset: ChangesetContent) async throws {
        for write in Self.writes { try await check(write, changeset) }
    }

    private func check(_ write: Write, _ changeset: ChangesetContent) async throws {
        try await withTemporaryDirectory { directory in
            let (bare, kept) = ("\(directory)/bare.sqlite", "\(directory)/kept.sqlite")
            for path in [bare, kept] {
                let made = try await sqlite(path, "\(write.setup); \(Self.seeds);")
                try #require(made.errors == "", "\(write.name): \(made.errors)")
            }
            let database = try SQLiteDatabase(path: kept)
            try await OutboxSchema(
                database: database,
                registry: Registry(NothingPublished(), settings: ProducerSettings())
            )
            .migrate(lanes: 4)
            try await database.transaction(.write) { transaction in
                var capture = TableCapture(table: "t", primaryKey: "id")
                capture.records = [
                    RecordCapture(
                        modelName: "R",
                        singular: "r",
                        table: "t",
                        primaryKey: "id",
                        softDeleteColumn: nil,
                        topics: [.init(name: "t", partitionKey: .column("k"))],
                        keptColumns: ["k"],
                        changeset: changeset,
                        columns: write.name.contains("schema") ? ["id", "k", "v"] : nil
                    )
                ]
                capture.observed = ObservedCapture(modelName: "R", singular: "r", columns: ["v"])
                let report = try database.outbox.captureReport(CaptureRequest(tables: [capture]), in: &transaction)
                for difference in report.differences { try transaction.run(difference.statements) }
            }
            await database.close()
            let before = try await contents(kept)
            let twin = try await sqlite(bare, write.script)
            let result = try await sqlite(kept, write.script)
            #expect(result.errors == twin.errors, "\(write.name): an uncaptured write says \(twin.errors)")
            #expect(result.output == twin.output, "\(write.name): an uncaptured write says \(twin.output)")
            let after = try await contents(kept)
            #expect(try await contents(bare) == after, "\(write.name)")
            let events = try await sqlite(
                kept,
                "SELECT resource_id, event_name FROM dionysus_outboxes WHERE topic = 't' ORDER BY id;"
            )
            var last: [String: String] = [:]
            for line in events.output.split(separator: "\n") {
                let parts = line.split(separator: "|", omittingEmptySubsequences: false)
                last[String(parts[0])] = parts.last.map(String.init)
            }
            for key in Set(before.keys).union(after.keys) where write.isTold && before[key] != after[key] {
                let told = last[key]
                #expect(
                    after[key] == nil ? told == "r_destroyed" : told != nil,
                    "\(write.name): record \(key) has changed, and the outbox tells \(told ?? "nothing")"
                )
            }
        }
    }

    /// The rows by their keys.
    private func contents(_ path: String) async throws -> [String: String] {
        let columns =
            "SELECT group_concat('quote(substr(' || name || ', 1, 200)) || length(' || name || ')', ' || '','' || ') FROM pragma_table_info('t')"
        let list = try await sqlite(path, "\(columns);").output.split(separator: "\n").first.map(String.init) ?? "1"
        let rows = try await sqlite(
            path,
            "SELECT coalesce(CAST(id AS TEXT), '-') || '|' || count(*) || coalesce(min(\(list)), '') FROM t GROUP BY id;"
        )
        var contents: [String: String] = [:]
        for line in rows.output.split(separator: "\n") {
            let parts = line.split(separator: "|", maxSplits: 1)
            contents[String(parts[0])] = parts.last.map(String.init)
        }
        return contents
    }

    /// Runs a script as any other program would.
    private func sqlite(_ path: String, _ script: String) async throws -> RunningProcess.Result {
        try await RunningProcess("sqlite3", [path], environment: [:], input: script + "\n").result()
    }
}

private struct NothingPublished: Producer {
    var namespaces: [Namespace] { [] }
}
