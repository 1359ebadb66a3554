import DionysusProducer
import TestSupport
import Testing

/// Capture makes no write fail, changes nothing that a writer sees, and misses no record: each write is made with and
/// without it, by another program.
@Suite(.enabled(if: TestDatabaseKind.available.contains(.postgres)), .timeLimit(.minutes(10)))
struct CapturedWriteTests {
    typealias Captured = CapturedWrite.Captured

    @Test("every form of statement")
    func statements() async throws {
        try await CapturedWriteTrial.run([
            CapturedWrite("one row", "INSERT INTO t (id, v) VALUES (10, 'x');"),
            CapturedWrite(
                "many rows",
                "INSERT INTO t (id, v) SELECT g, 'x' FROM generate_series(10, 2000) g; UPDATE t SET v = 'y'; DELETE FROM t WHERE id % 2 = 0;"
            ),
            CapturedWrite("defaults", setup: "ALTER TABLE t ALTER id SET DEFAULT 77;", "INSERT INTO t DEFAULT VALUES;"),
            CapturedWrite(
                "returning",
                """
                INSERT INTO t (id, v) VALUES (10, 'x') RETURNING *; UPDATE t SET n = n + 1 RETURNING id, n;
                DELETE FROM t WHERE id = 1 RETURNING v;
                """
            ),
            CapturedWrite(
                "upserts",
                """
                INSERT INTO t (id, v) VALUES (1, 'z'), (9, 'z') ON CONFLICT (id) DO UPDATE SET v = excluded.v;
                INSERT INTO t (id, v) VALUES (1, 'q'), (8, 'q') ON CONFLICT DO NOTHING;
                INSERT INTO t (id, v) VALUES (2, 'q') ON CONFLICT (id) DO UPDATE SET v = 'never' WHERE t.n > 100;
                INSERT INTO t (id, u) VALUES (5, 3) ON CONFLICT (u) DO UPDATE SET id = 33;
                INSERT INTO t (id, v) VALUES (6, 'a'), (6, 'b') ON CONFLICT (id) DO UPDATE SET v = excluded.v;
                """
            ),
            CapturedWrite(
                "merge",
                """
                MERGE INTO t USING (VALUES (1, 'm'), (2, 'd'), (20, 'i')) s (id, v) ON t.id = s.id
                WHEN MATCHED AND s.v = 'd' THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v
                WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v);
                MERGE INTO t USING (VALUES (3), (3)) s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = 'twice';
                MERGE INTO t USING (VALUES (1)) s (id) ON t.id = s.id WHEN MATCHED THEN DO NOTHING;
                """
            ),
            CapturedWrite(
                "copy",
                """
                COPY t (id, v) FROM stdin;
                10\tx
                11\t\\N
                \\.
                COPY t (id, v) FROM stdin WITH (FORMAT csv);
                12,"a,b"
                \\.
                COPY t (id, v) FROM stdin;
                13\tx
                1\tduplicate
                \\.
                COPY t (id, v) FROM stdin WITH (FREEZE);
                14\tx
                \\.
                """
            ),
            CapturedWrite(
                "writes in queries",
                """
                WITH gone AS (DELETE FROM t WHERE id = 1 RETURNING *), new AS (INSERT INTO t (id, v) SELECT id + 100, v FROM gone RETURNING id),
                  changed AS (UPDATE t SET v = 'c' WHERE id = 2 RETURNING id) SELECT * FROM gone, new, changed;
                WITH a AS (UPDATE t SET n = 50 WHERE id = 3), b AS (UPDATE t SET n = 60 WHERE id = 3) SELECT 1;
                INSERT INTO t (id, v) SELECT id + 1000, v FROM t;
                """
            ),
            CapturedWrite(
                "joins and cursors",
                """
                UPDATE t SET v = o.v FROM (VALUES (1, 'j'), (1, 'k')) o (id, v) WHERE t.id = o.id AND o.v = 'j';
                DELETE FROM t USING (VALUES (2)) o (id) WHERE t.id = o.id;
                BEGIN; DECLARE c CURSOR FOR SELECT * FROM t ORDER BY id FOR UPDATE; FETCH c;
                UPDATE t SET v = 'cursor' WHERE CURRENT OF c; FETCH c; DELETE FROM t WHERE CURRENT OF c; COMMIT;
                """
            ),
            CapturedWrite(
                "keys that change",
                """
                UPDATE t SET id = id + 100; UPDATE t SET id = 102 WHERE id = 101; UPDATE t SET id = NULL WHERE id = 101;
                UPDATE t SET id = -id WHERE id < 103;
                """
            ),
            CapturedWrite(
                "keys that are swapped",
                setup: "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id) DEFERRABLE;",
                "UPDATE t SET id = 5 - id; UPDATE t SET id = CASE id WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE id END;"
            ),
            CapturedWrite(
                "no row",
                recorded: .exactly([]),
                """
                UPDATE t SET v = 'x' WHERE false; DELETE FROM t WHERE id = 99; INSERT INTO t SELECT * FROM t WHERE false;
                UPDATE t SET v = v, n = n;
                """
            ),
            CapturedWrite(
                "violations",
                setup: "ALTER TABLE t ADD CHECK (n < 1000);",
                recorded: .exactly([]),
                """
                INSERT INTO t (id) VALUES (1); INSERT INTO t (id) VALUES (NULL); INSERT INTO t (id, n) VALUES (50, NULL);
                INSERT INTO t (id, n) VALUES (50, 1000); UPDATE t SET u = 1; UPDATE t SET n = 5000 WHERE id = 1;
                INSERT INTO t (id, n) VALUES (50, 'a'); INSERT INTO t (id, nothing) VALUES (1, 1); UPDATE t SET n = n / 0;
                """
            ),
            CapturedWrite(
                "TRUNCATE, which names no records, is the one that is refused",
                recorded: .exactly([]),
                refusal: "P0001",
                "TRUNCATE t;"
            ),
            CapturedWrite(
                "prepared statements, while triggers and functions are replaced",
                """
                PREPARE w (text) AS UPDATE t SET v = $1 WHERE id < 3;
                EXECUTE w ('1'); EXECUTE w ('2'); EXECUTE w ('3'); EXECUTE w ('4'); EXECUTE w ('5'); EXECUTE w ('6'); EXECUTE w ('7');
                DO $$ DECLARE r record; BEGIN
                  FOR r IN SELECT tgname, pg_get_functiondef(tgfoid) f, pg_get_triggerdef(oid) d FROM pg_trigger WHERE tgrelid = 't'::regclass AND NOT tgisinternal LOOP
                    EXECUTE format('DROP TRIGGER %I ON t', r.tgname); EXECUTE r.f; EXECUTE r.d;
                  END LOOP;
                END $$;
                EXECUTE w ('8');
                ALTER TABLE t ADD extra json DEFAULT '{}'; EXECUTE w ('9'); UPDATE t SET extra = '[1]'; ALTER TABLE t DROP extra; EXECUTE w ('10');
                """
            ),
        ])
    }

    @Test("every kind of transaction")
    func transactions() async throws {
        try await CapturedWriteTrial.run([
            CapturedWrite(
                "savepoints",
                """
                BEGIN; SAVEPOINT a; DELETE FROM t WHERE id = 1; ROLLBACK TO a; UPDATE t SET v = 's' WHERE id = 2; RELEASE a; COMMIT;
                BEGIN; UPDATE t SET v = 'gone'; ROLLBACK;
                BEGIN; UPDATE t SET v = 'x' WHERE id = 3; SELECT 1 / 0; COMMIT;
                """
            ),
            CapturedWrite(
                "hundreds of subtransactions",
                """
                DO $$ BEGIN FOR i IN 1..200 LOOP
                  BEGIN UPDATE t SET n = i WHERE id = 1; IF i % 3 = 0 THEN RAISE EXCEPTION 'no'; END IF; EXCEPTION WHEN raise_exception THEN NULL; END;
                END LOOP; END $$;
                """
            ),
            CapturedWrite(
                "isolation levels",
                """
                BEGIN ISOLATION LEVEL SERIALIZABLE; UPDATE t SET v = 's'; SELECT count(*) FROM t; COMMIT;
                BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE t SET v = 'r'; COMMIT;
                BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE; SELECT count(*) FROM t; COMMIT;
                BEGIN READ ONLY; UPDATE t SET v = 'no'; COMMIT;
                SET default_transaction_read_only = on; UPDATE t SET v = 'no'; SET default_transaction_read_only = off;
                SET default_transaction_deferrable = on; SET default_transaction_isolation = 'serializable'; UPDATE t SET v = 'yes';
                """
            ),
            CapturedWrite(
                "a commit in two phases",
                """
                BEGIN; UPDATE t SET v = 'p' WHERE id = 1; PREPARE TRANSACTION :'s'; COMMIT PREPARED :'s';
                BEGIN; DELETE FROM t WHERE id = 2; PREPARE TRANSACTION :'s'; ROLLBACK PREPARED :'s';
                """
            ),
            CapturedWrite(
                "deferred constraints",
                on: [Captured(), Captured(table: "p", changeset: .minimal)],
                setup: """
                    CREATE TABLE p (id bigint PRIMARY KEY, v text); ALTER TABLE t ADD p bigint REFERENCES p DEFERRABLE INITIALLY DEFERRED;
                    CREATE FUNCTION checked() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.n = 13 THEN RAISE EXCEPTION 'unlucky'; END IF; RETURN NULL; END $$;
                    CREATE CONSTRAINT TRIGGER checked AFTER INSERT OR UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION checked();
                    """,
                """
                BEGIN; INSERT INTO t (id, p) VALUES (10, 1); INSERT INTO p VALUES (1, 'x'); COMMIT;
                BEGIN; INSERT INTO t (id, p) VALUES (11, 2); COMMIT;
                BEGIN; UPDATE t SET n = 13 WHERE id = 1; COMMIT;
                BEGIN; SET CONSTRAINTS ALL IMMEDIATE; UPDATE t SET n = 14 WHERE id = 2; COMMIT;
                """
            ),
            CapturedWrite(
                "two writers who go in opposite orders over different rows",
                on: [Captured(), Captured(table: "o")],
                setup: """
                    CREATE EXTENSION IF NOT EXISTS dblink SCHEMA public;
                    CREATE TABLE o (id bigint PRIMARY KEY, v text); INSERT INTO o VALUES (1, 'x'), (2, 'x');
                    GRANT SELECT, UPDATE ON t, o TO :role;
                    """,
                """
                SET statement_timeout = '20s';
                SELECT dblink_connect_u('other', 'user=' || :'role' || ' host=127.0.0.1 port=' || current_setting('port') || ' dbname=' || current_database()
                  || ' options=-csearch_path=' || :'s');
                BEGIN; UPDATE t SET v = 'here' WHERE id = 1;
                SELECT dblink_exec('other', 'BEGIN'); SELECT dblink_exec('other', 'UPDATE o SET v = ''there'' WHERE id = 2');
                UPDATE o SET v = 'here' WHERE id = 1;
                SELECT dblink_exec('other', 'UPDATE t SET v = ''there'' WHERE id = 2'); SELECT dblink_exec('other', 'COMMIT');
                COMMIT; SELECT dblink_disconnect('other');
                """
            ),
        ])
    }

    @Test("every shape of table")
    func tables() async throws {
        let owner = Captured(reference: (column: "p", table: "p"))
        try await CapturedWriteTrial.run([
            CapturedWrite(
                "partitions",
                on: [Captured(partitionKey: "k", kept: ["k"])],
                setup: """
                    CREATE TABLE t (id bigint, k text, v text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
                    CREATE TABLE t_a PARTITION OF t FOR VALUES IN ('a') PARTITION BY RANGE (id);
                    CREATE TABLE t_a1 PARTITION OF t_a FOR VALUES FROM (0) TO (100);
                    CREATE TABLE t_b (v text, junk int, k text NOT NULL, id bigint NOT NULL); ALTER TABLE t_b DROP junk;
                    ALTER TABLE t ATTACH PARTITION t_b FOR VALUES IN ('b'); CREATE TABLE t_d PARTITION OF t DEFAULT;
                    """,
                """
                INSERT INTO t VALUES (1, 'a', 'x'), (2, 'b', 'x'), (3, 'z', 'x'); INSERT INTO t_a1 VALUES (4, 'a', 'leaf');
                INSERT INTO t_b (id, k, v) VALUES (5, 'b', 'leaf'); INSERT INTO t_a VALUES (500, 'a', 'nowhere');
                UPDATE t SET k = 'b' WHERE id = 1; UPDATE t_a1 SET v = 'leaf'; UPDATE t_a1 SET k = 'b' WHERE id = 4;
                UPDATE t SET v = 'all'; DELETE FROM t_b WHERE id = 5; DELETE FROM t WHERE id = 3;
                INSERT INTO t VALUES (2, 'b', 'y') ON CONFLICT (id, k) DO UPDATE SET v = 'upserted';
                MERGE INTO t USING (VALUES (2)) s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET k = 'moved';
                COPY t FROM stdin;
                7\tb\tcopied
                8\ta\tcopied
                \\.
                """
            ),
            CapturedWrite(
                "partitions that come and go",
                on: [Captured(partitionKey: "k")],
                setup: """
                    CREATE TABLE t (id bigint PRIMARY KEY, k text) PARTITION BY HASH (id);
                    CREATE TABLE t_0 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0);
                    CREATE TABLE t_1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1); INSERT INTO t SELECT g, 'x' FROM generate_series(1, 9) g;
                    """,
                """
                ALTER TABLE t DETACH PARTITION t_0; UPDATE t_0 SET k = 'apart'; DELETE FROM t_0 WHERE k = 'none';
                UPDATE t SET k = 'here'; ALTER TABLE t ATTACH PARTITION t_0 FOR VALUES WITH (MODULUS 2, REMAINDER 0); UPDATE t SET k = 'again';
                CREATE TABLE spare (LIKE t INCLUDING ALL); DROP TABLE spare; DELETE FROM t_0; DROP TABLE t_0; UPDATE t SET k = 'left';
                """
            ),
            CapturedWrite(
                "inheritance",
                setup: "CREATE TABLE kid (extra int) INHERITS (t); INSERT INTO kid (id, v) VALUES (10, 'k');",
                """
                UPDATE t SET v = 'all'; INSERT INTO kid (id, v) VALUES (11, 'k'); UPDATE kid SET v = 'kid' WHERE id = 10;
                DELETE FROM t WHERE id = 10; UPDATE ONLY t SET v = 'only'; DELETE FROM kid;
                """
            ),
            CapturedWrite(
                "rules",
                setup: """
                    CREATE RULE moved AS ON UPDATE TO t WHERE NEW.v = 'rule' DO INSTEAD INSERT INTO t (id, v) VALUES (OLD.id + 100, 'ruled');
                    CREATE RULE also AS ON DELETE TO t DO ALSO UPDATE t SET n = n + 1;
                    """,
                "UPDATE t SET v = 'rule' WHERE id = 1; UPDATE t SET v = 'plain' WHERE id = 2; DELETE FROM t WHERE id = 3;"
            ),
            CapturedWrite(
                "views",
                setup: """
                    CREATE VIEW seen AS SELECT id, v FROM t WHERE n < 4 WITH CHECK OPTION; CREATE VIEW other AS SELECT id, upper(v) AS loud FROM t;
                    CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                      UPDATE t SET v = lower(NEW.loud) WHERE id = OLD.id; RETURN NEW; END $$;
                    CREATE TRIGGER instead INSTEAD OF UPDATE ON other FOR EACH ROW EXECUTE FUNCTION instead();
                    """,
                """
                UPDATE seen SET v = 'view'; INSERT INTO seen (id, v) VALUES (10, 'view'); DELETE FROM seen WHERE id = 2; UPDATE seen SET id = 4 WHERE id = 1;
                UPDATE other SET loud = 'HEARD'; INSERT INTO other (id) VALUES (9);
                """
            ),
            CapturedWrite(
                "triggers of the application",
                setup: """
                    CREATE FUNCTION before() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                      IF NEW.v = 'skip' THEN RETURN NULL; END IF; IF NEW.v = 'key' THEN NEW.id := NEW.id + 1000; END IF; NEW.n := NEW.n + 1; RETURN NEW; END $$;
                    CREATE TRIGGER a_before BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION before();
                    CREATE FUNCTION after() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                      IF pg_trigger_depth() < 3 THEN UPDATE t SET u = coalesce(u, 0) + 10 WHERE id = NEW.id; INSERT INTO t (id, v) VALUES (NEW.id + 500, 'made') ON CONFLICT DO NOTHING; END IF; RETURN NULL; END $$;
                    CREATE TRIGGER z_after AFTER INSERT OR UPDATE OF v ON t FOR EACH ROW EXECUTE FUNCTION after();
                    CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM count(*) FROM dionysus_new; RETURN NULL; END $$;
                    CREATE TRIGGER statement AFTER UPDATE ON t REFERENCING NEW TABLE AS dionysus_new FOR EACH STATEMENT EXECUTE FUNCTION counted();
                    """,
                """
                INSERT INTO t (id, v) VALUES (10, 'x'), (11, 'skip'), (12, 'key'); UPDATE t SET v = 'y' WHERE id < 3; UPDATE t SET v = 'key' WHERE id = 3;
                UPDATE t SET v = 'skip'; DELETE FROM t WHERE id > 100;
                """
            ),
            CapturedWrite(
                "cascades",
                on: [owner, Captured(table: "p"), Captured(table: "q")],
                setup: """
                    CREATE TABLE p (id bigint PRIMARY KEY, v text); INSERT INTO p VALUES (1, 'x'), (2, 'x'), (3, 'x'), (4, 'x');
                    ALTER TABLE t ADD p bigint REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE; UPDATE t SET p = id;
                    CREATE TABLE q (id bigint PRIMARY KEY, p bigint DEFAULT 4 REFERENCES p ON DELETE SET NULL ON UPDATE SET DEFAULT); INSERT INTO q VALUES (1, 1), (2, 2), (3, 3);
                    """,
                """
                DELETE FROM p WHERE id = 1; UPDATE p SET id = 30 WHERE id = 3; DELETE FROM p WHERE id = 2;
                WITH a AS (DELETE FROM p WHERE id = 30 RETURNING id) SELECT * FROM a; DELETE FROM p;
                """
            ),
            CapturedWrite(
                "references to whole numbers of another width, to other lengths, and to nothing",
                on: [
                    Captured(table: "c", reference: (column: "narrow", table: "small")),
                    Captured(table: "d", reference: (column: "long", table: "words")),
                    Captured(table: "e", reference: (column: "exact", table: "numbers")),
                ],
                setup: """
                    CREATE TABLE small (id smallint PRIMARY KEY); CREATE TABLE words (id varchar(3) PRIMARY KEY); CREATE TABLE numbers (id numeric(5,1) PRIMARY KEY);
                    INSERT INTO small VALUES (1); INSERT INTO words VALUES ('abc'); INSERT INTO numbers VALUES (1.5);
                    CREATE TABLE c (id bigint PRIMARY KEY, narrow bigint); CREATE TABLE d (id bigint PRIMARY KEY, long text); CREATE TABLE e (id bigint PRIMARY KEY, exact numeric);
                    """,
                """
                INSERT INTO c VALUES (1, 1), (2, 70000), (3, 9000000000000000000), (4, NULL); UPDATE c SET narrow = -40000 WHERE id = 1; DELETE FROM c WHERE id = 3;
                INSERT INTO d VALUES (1, 'abc'), (2, 'abcdef'), (3, ''); UPDATE d SET long = repeat('x', 5000); DELETE FROM d WHERE id = 2;
                INSERT INTO e VALUES (1, 1.5), (2, 1e20), (3, 'NaN'), (4, 'Infinity'); UPDATE e SET exact = exact * 10; DELETE FROM e;
                """
            ),
            CapturedWrite(
                "generated and identity columns",
                on: [Captured(partitionKey: "g", kept: ["g"]), Captured(table: "i"), Captured(table: "s")],
                setup: """
                    ALTER TABLE t ADD g int GENERATED ALWAYS AS (n * 2) STORED; CREATE TABLE i (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
                    CREATE TABLE s (id bigserial PRIMARY KEY, v text);
                    """,
                """
                UPDATE t SET n = n + 1; UPDATE t SET g = 1; INSERT INTO t (id, n) VALUES (10, 5);
                INSERT INTO i (v) VALUES ('a'); INSERT INTO i (id, v) VALUES (9, 'no'); INSERT INTO i (id, v) OVERRIDING SYSTEM VALUE VALUES (9, 'yes');
                UPDATE i SET id = DEFAULT WHERE id = 9; INSERT INTO s (v) VALUES ('a'), ('b'); INSERT INTO s (v) SELECT v FROM s;
                SELECT currval('s_id_seq');
                """
            ),
            CapturedWrite(
                "tables of other kinds",
                on: [
                    Captured(table: "o"), Captured(table: "x"), Captured(table: "w", key: "a"), Captured(table: "many"),
                ],
                setup: """
                    CREATE TYPE shape AS (id bigint, v text); CREATE TABLE o OF shape (PRIMARY KEY (id));
                    CREATE UNLOGGED TABLE x (id bigint PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&)) WITH (fillfactor = 50);
                    CREATE TABLE w (a bigint, b bigint, v text, PRIMARY KEY (a, b));
                    DO $$ BEGIN EXECUTE 'CREATE TABLE many (id bigint PRIMARY KEY, ' || (SELECT string_agg(format('c%s int', g), ', ') FROM generate_series(1, 1500) g) || ')'; END $$;
                    """,
                """
                INSERT INTO o VALUES (1, 'x'); UPDATE o SET v = 'y'; DELETE FROM o;
                INSERT INTO x VALUES (1, '[1,5)'); INSERT INTO x VALUES (2, '[3,8)'); UPDATE x SET r = '[2,3)';
                INSERT INTO w VALUES (1, 1, 'x'), (2, 1, 'y'); UPDATE w SET v = 'z' WHERE a = 2; DELETE FROM w WHERE a = 1;
                INSERT INTO many (id, c1, c1500) VALUES (1, 1, 1); UPDATE many SET c700 = 7; DELETE FROM many;
                """
            ),
            CapturedWrite(
                "a table without a primary key",
                setup:
                    "CREATE TABLE t (id bigint, k text, n int DEFAULT 0); INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2);",
                "INSERT INTO t VALUES (NULL, NULL, NULL), (3, 'c', 3); UPDATE t SET k = 'x'; UPDATE t SET id = NULL WHERE id = 1; DELETE FROM t WHERE id IS NULL;"
            ),
            CapturedWrite(
                "tables that are renamed, moved, and changed under capture",
                """
                ALTER TABLE t RENAME TO u; UPDATE u SET v = 'u'; ALTER TABLE u RENAME TO t;
                ALTER TABLE t ALTER v TYPE varchar(100); UPDATE t SET v = 'retyped'; ALTER TABLE t ALTER n TYPE text; UPDATE t SET n = 'no number';
                ALTER TABLE t ALTER n TYPE jsonb USING '{}'; UPDATE t SET n = '[1]'; DELETE FROM t WHERE id = 4;
                ALTER TABLE t SET UNLOGGED; UPDATE t SET v = 'x'; CLUSTER t USING t_pkey; UPDATE t SET v = 'y';
                """
            ),
            CapturedWrite(
                "a key that was a whole number and has become a text",
                on: [Captured(partitionKey: "k", observed: ["v"])],
                altered: "ALTER TABLE t ALTER id TYPE text USING 'n' || id;",
                """
                UPDATE t SET v = 'text'; UPDATE t SET id = 'moved' WHERE id = 'n1'; INSERT INTO t (id, v) VALUES ('new', 'x'), ('7', 'x');
                DELETE FROM t WHERE id = 'n2'; UPDATE t SET id = id || '+';
                """
            ),
            CapturedWrite(
                "a key that has become a wider number",
                setup: "ALTER TABLE t ALTER id TYPE smallint;",
                altered: "ALTER TABLE t ALTER id TYPE bigint;",
                "UPDATE t SET id = id + 3000000000; UPDATE t SET v = 'wide'; DELETE FROM t WHERE k = 'a';"
            ),
            CapturedWrite(
                "a key that has become a UUID, and columns that have become something else",
                on: [
                    Captured(partitionKey: "k", kept: ["n"]), Captured(table: "b"),
                    Captured(table: "i", partitionKey: "w"),
                ],
                setup: """
                    CREATE TABLE b (id boolean PRIMARY KEY, v text); INSERT INTO b VALUES (true, 'x');
                    CREATE TABLE i (id inet PRIMARY KEY, v numeric(3,1), w char(3), x varchar(3)[]); INSERT INTO i VALUES ('::1', 1, 'a', '{a}');
                    """,
                altered: """
                    ALTER TABLE t ALTER id TYPE uuid USING md5(id::text)::uuid, ALTER k TYPE text[] USING ARRAY[k], ALTER n DROP DEFAULT, ALTER n TYPE date USING '2020-01-01';
                    ALTER TABLE b ALTER id TYPE text USING 'maybe';
                    ALTER TABLE i ALTER id TYPE text USING 'no address', ALTER v TYPE numeric(20,5), ALTER w TYPE text, ALTER x TYPE text[];
                    """,
                """
                UPDATE t SET v = 'x'; UPDATE t SET n = 'infinity', k = '{a,b}'; DELETE FROM t WHERE u = 1; UPDATE b SET v = 'y'; DELETE FROM b;
                UPDATE i SET v = 123456789.12345, w = 'long   ', x = '{longer}'; UPDATE i SET id = 'other'; DELETE FROM i;
                """
            ),
            CapturedWrite(
                "a reference that leads by another type of whole number or text",
                on: [
                    Captured(reference: (column: "p", table: "p")),
                    Captured(table: "q", reference: (column: "w", table: "w")),
                ],
                setup: """
                    CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2); ALTER TABLE t ADD p int; UPDATE t SET p = 1;
                    CREATE TABLE w (id varchar(3) PRIMARY KEY); INSERT INTO w VALUES ('abc'); CREATE TABLE q (id bigint PRIMARY KEY, w varchar(3)); INSERT INTO q VALUES (1, 'abc');
                    """,
                altered:
                    "ALTER TABLE p ALTER id TYPE bigint; ALTER TABLE t ALTER p TYPE bigint; ALTER TABLE w ALTER id TYPE text; ALTER TABLE q ALTER w TYPE varchar(9);",
                "UPDATE t SET p = 3000000000; UPDATE t SET p = 2 WHERE id = 1; UPDATE q SET w = 'abcdef'; DELETE FROM q; DELETE FROM t;"
            ),
            CapturedWrite(
                "a reference that has become something else, whose records can't be found any more, is reported",
                on: [Captured(reference: (column: "p", table: "p"))],
                setup:
                    "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1); ALTER TABLE t ADD p int; UPDATE t SET p = 1;",
                altered: "ALTER TABLE t ALTER p TYPE text USING 'x' || p;",
                recorded: .exactly([]),
                refusal: "P0001",
                "UPDATE t SET v = 'y';"
            ),
        ])
    }

    @Test("every type of column")
    func types() async throws {
        let prelude = """
            CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public; CREATE EXTENSION IF NOT EXISTS citext SCHEMA public; CREATE TABLE t (id int PRIMARY KEY);
            CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE pair AS (a int, b text); CREATE DOMAIN whole AS bigint CHECK (VALUE > 0);
            CREATE DOMAIN code AS varchar(5); CREATE DOMAIN list AS int[]; CREATE TYPE span AS RANGE (subtype = float8);

            """
        var writes: [CapturedWrite] = []
        for start in stride(from: 0, to: Self.values.count, by: 15) {
            let uses = Self.values[start..<min(start + 15, Self.values.count)].enumerated()
                .map { Use(type: $1, number: $0) }
            writes.append(
                CapturedWrite(
                    "types from \(uses[0].type.name)",
                    on: uses.flatMap(\.tables),
                    setup: prelude + uses.map(\.setup).joined(separator: "\n"),
                    uses.map(\.script).joined(separator: "\n")
                )
            )
        }
        try await CapturedWriteTrial.run(writes)
    }

    /// Tables that use a type: as a partition key, as what is observed and marks records as deleted, as a reference's, and as
    /// a key.
    private struct Use {
        let type: Values
        let number: Int

        private var names: [String] { ["plain", "marked"] + (canBeKey ? ["keyed"] : []) }

        /// Its equality decides what may be a key.
        private var canBeKey: Bool {
            type.name.hasPrefix("jsonb")
                || !["json", "xml", "point", "box", "line", "lseg", "path", "polygon", "circle"]
                    .contains { type.name.hasPrefix($0) }
        }

        var tables: [Captured] {
            names.map { name in
                let table = "\(name)_\(number)"
                return switch name {
                case "plain": Captured(table: table, partitionKey: "x", kept: ["x"])
                case "marked": Captured(table: table, softDeleteColumn: "x", observed: ["x"], changeset: .names)
                default: Captured(table: table, key: "x", changeset: .minimal)
                }
            }
        }

        var setup: String {
            names.map { name in
                "CREATE TABLE \(name)_\(number) (id bigint\(name == "keyed" ? "" : " PRIMARY KEY"), x \(type.name));"
            }
            .joined(separator: "\n")
        }

        var script: String {
            names.map { name in
                let table = "\(name)_\(number)"
                return """
                    \\echo \(type.name.replacing("\"", with: "")), \(name)
                    INSERT INTO \(table) VALUES (1, \(type.values[0])), (2, NULL); UPDATE \(table) SET x = x;
                    \(type.values.map { "UPDATE \(table) SET x = \($0);" }.joined(separator: "\n"))
                    UPDATE \(table) SET x = NULL WHERE id = 1; UPDATE \(table) SET id = id + 10; DELETE FROM \(table) WHERE id = 12;
                    """
            }
            .joined(separator: "\n")
        }
    }

    /// A type, and expressions of its values.
    struct Values: Sendable {
        let name: String
        let values: [String]

        init(_ name: String, _ values: String...) {
            self.name = name
            self.values = values
        }
    }

    static let values = [
        Values("smallint", "-32768", "32767"), Values("integer", "0", "-2147483648"),
        Values("bigint", "9223372036854775807", "-9223372036854775808"),
        Values("numeric", "0.1", "1e131071", "1e-16383", "'NaN'", "'Infinity'"),
        Values("numeric(5,2)", "1.25", "-999.99"),
        Values("real", "1.1", "'NaN'", "'-Infinity'", "3.4e38"),
        Values("double precision", "0.1", "'Infinity'", "'NaN'", "1e308", "-0.0"),
        Values("money", "'12.34'", "'-1,000.00'"),
        Values("text", "''", "E'\\\\\\n\\t\"''$$'", "repeat('ü', 3000)"), Values("varchar(5)", "'abc'", "'  x  '"),
        Values("char(5)", "'ab'", "''"), Values("\"char\"", "'x'", "''"), Values("name", "'n'", "repeat('x', 63)"),
        Values("citext", "'A'", "'a'"), Values("bytea", "''", "'\\x00ff'", "decode(repeat('00', 5000), 'hex')"),
        Values("boolean", "true", "false"),
        Values("date", "'2024-02-29'", "'infinity'", "'4713-01-01 BC'", "'5874897-12-31'"),
        Values("time", "'24:00'", "'00:00:00.000001'"), Values("timetz", "'12:00+15:59'", "'12:00-15:59'"),
        Values("timestamp", "'294276-12-31 23:59:59.999999'", "'4713-01-01 BC'", "'-infinity'"),
        Values("timestamp(3)", "'2024-01-01 00:00:00.9999'"),
        Values("timestamptz", "'infinity'", "'0001-01-01 BC'", "'2024-03-31 02:30 Europe/Zurich'"),
        Values("interval", "'1 year -2 months 3 days -04:05:06.789'", "'178000000 years'"),
        Values("interval day to second(2)", "'1 day'"),
        Values("uuid", "'6A2F41A3-C54C-4CE8-93D2-0324E1C32E22'", "'00000000-0000-0000-0000-000000000000'"),
        Values(
            "json",
            "'{}'",
            #"'{"a": "\u0000"}'"#,
            #"'"\ud800"'"#,
            #"'["\udc00\ud800", "\\u0000", "\uD83D\uDE00"]'"#,
            "'1e1000000'",
            "'-0.1E-99999'",
            "('1' || repeat('0', 200000))::json",
            "(repeat('[', 6000) || repeat(']', 6000))::json",
            #"(repeat('{"a": ', 3000) || '1' || repeat('}', 3000))::json"#,
            #"'{"a": 1, "a": 2}'"#,
            "' null '",
            #"'"text"'"#
        ),
        Values("jsonb", "'{}'", "'null'", "'[1e100, \"x\"]'", "(repeat('[', 5000) || repeat(']', 5000))::jsonb"),
        Values("xml", "'<a/>'", "'text & <b>mixed</b>'"), Values("jsonpath", "'$.a[*] ? (@ > 1)'"),
        Values("inet", "'::1'", "'10.0.0.1/8'"), Values("cidr", "'10.0.0.0/8'"),
        Values("macaddr", "'08:00:2b:01:02:03'"),
        Values("macaddr8", "'08:00:2b:01:02:03:04:05'"), Values("bit(3)", "'101'"),
        Values("bit varying(9)", "''", "'1'"),
        Values("tsvector", "'a b:1'", "''"), Values("tsquery", "'a & !b'", "''"),
        Values("int4range", "'[1,5)'", "'empty'", "'(,)'"),
        Values("tstzrange", "'[2020-01-01,infinity]'"), Values("int8multirange", "'{[1,2),[5,9)}'", "'{}'"),
        Values("point", "'(1,2)'", "'(NaN,Infinity)'"), Values("line", "'{1,2,3}'"), Values("lseg", "'[(0,0),(1,1)]'"),
        Values("box", "'(1,1),(0,0)'"), Values("path", "'[(0,0),(1,1)]'"), Values("polygon", "'((0,0),(1,1),(1,0))'"),
        Values("circle", "'<(0,0),1>'"), Values("pg_lsn", "'16/B374D848'"), Values("xid8", "'1'"),
        Values("pg_snapshot", "'10:20:10,14'"),
        Values("oid", "4294967295::oid"), Values("regclass", "'pg_class'", "99999999::oid"),
        Values("regproc", "'pg_catalog.now'", "99999999::oid"),
        Values("regprocedure", "'pg_catalog.max(int)'"), Values("regtype", "'int4'", "99999999::oid"),
        Values("regrole", "'pg_monitor'", "99999999::oid"),
        Values("regnamespace", "'pg_catalog'"), Values("aclitem", "'pg_monitor=r/pg_monitor'"),
        Values("oidvector", "'1 2 3'"),
        Values("int2vector", "'1 2'"), Values("mood", "'sad'", "'ok'"),
        Values("pair", "ROW(1, NULL)::pair", "ROW(NULL, NULL)::pair"),
        Values("whole", "5"), Values("code", "'abcde'"), Values("list", "'{1,NULL}'"), Values("span", "'[0.1,0.2)'"),
        Values("hstore", "'a=>1'"),
        Values("integer[]", "'{}'", "'{1,NULL,3}'", "'{{1,2},{3,4}}'", "'[5:6]={1,2}'"),
        Values("text[]", #"'{"a,b", "", NULL, "\"\\"}'"#),
        Values("json[]", #"ARRAY['{"a": "\u0000"}']::json[]"#, "ARRAY['1e999999']::json[]"),
        Values("jsonb[]", "ARRAY['[1]']::jsonb[]"),
        Values("xml[]", "ARRAY['a <b/>']::xml[]"), Values("money[]", "'{12.34}'"),
        Values("numeric(4,1)[]", "'{1.5,NaN}'"),
        Values("varchar(3)[]", "'{abc}'"), Values("char(3)[]", "'{ab}'"), Values("bit(3)[]", "'{101}'"),
        Values("regclass[]", "'{pg_class}'"),
        Values("timestamptz[]", "'{infinity}'"), Values("bytea[]", #"ARRAY['\x00ff'::bytea]"#),
        Values("box[]", "'{(1,1),(0,0);(2,2),(1,1)}'"),
        Values("mood[]", "'{sad,ok}'"), Values("pair[]", "ARRAY[ROW(1, 'x')]::pair[]"),
        Values("int4range[]", "ARRAY['[1,2)'::int4range]"),
        Values("interval[]", "ARRAY['1 day'::interval]"), Values("float8[]", "'{NaN,Infinity}'"),
        Values("hstore[]", "ARRAY['a=>1'::hstore]"),
    ]

    @Test("values of any size")
    func sizes() async throws {
        let setup =
            "CREATE TABLE t (id bigint PRIMARY KEY, k text, x text, y bytea, z json); ALTER TABLE t ALTER x SET STORAGE EXTERNAL;"
        try await CapturedWriteTrial.run([
            CapturedWrite(
                "values that are stored aside",
                on: [Captured(kept: ["x"])],
                setup: setup,
                """
                INSERT INTO t VALUES (1, 'a', repeat('x', 3000000), decode(repeat('ff', 2000000), 'hex'), to_json(repeat('j', 2000000)));
                UPDATE t SET k = 'b'; UPDATE t SET x = x || 'y'; UPDATE t SET y = '', z = NULL; DELETE FROM t;
                """
            ),
            CapturedWrite(
                "values whose changes a document can't hold",
                on: [Captured()],
                setup: setup,
                "INSERT INTO t VALUES (1, 'a', repeat('x', 140000000)); UPDATE t SET x = repeat('y', 140000000); DELETE FROM t;"
            ),
        ])
    }

    @Test("every setting of a session, a role or a database")
    func settings() async throws {
        let values: [(String, [String])] = [
            ("DateStyle", ["'German'", "'SQL, DMY'", "'Postgres, YMD'"]),
            ("IntervalStyle", ["'sql_standard'", "'iso_8601'", "'postgres_verbose'"]),
            ("TimeZone", ["'Asia/Kathmandu'", "'-13:37'"]), ("extra_float_digits", ["-15", "3"]),
            ("bytea_output", ["'escape'"]),
            ("xmloption", ["'document'"]), ("xmlbinary", ["'hex'"]), ("array_nulls", ["off"]),
            ("standard_conforming_strings", ["off"]),
            ("escape_string_warning", ["off"]), ("backslash_quote", ["off"]), ("quote_all_identifiers", ["on"]),
            ("transform_null_equals", ["on"]), ("row_security", ["off"]), ("check_function_bodies", ["off"]),
            ("lc_monetary", ["'C'"]), ("lc_messages", ["'C'"]), ("lc_numeric", ["'C'"]), ("lc_time", ["'C'"]),
            ("default_transaction_isolation", ["'serializable'", "'repeatable read'"]),
            ("default_transaction_deferrable", ["on"]),
            ("synchronous_commit", ["off"]), ("lock_timeout", ["'1s'"]), ("work_mem", ["'64kB'"]),
            ("temp_buffers", ["'800kB'"]),
            ("jit", ["on"]), ("jit_above_cost", ["0"]), ("enable_seqscan", ["off"]), ("enable_hashjoin", ["off"]),
            ("enable_mergejoin", ["off"]),
            ("enable_nestloop", ["off"]), ("enable_indexscan", ["off"]),
            ("plan_cache_mode", ["'force_generic_plan'", "'force_custom_plan'"]),
            ("constraint_exclusion", ["on"]), ("max_parallel_workers_per_gather", ["0"]),
            ("force_parallel_mode", ["on"]),
            ("plpgsql.extra_errors", ["'all'"]), ("plpgsql.extra_warnings", ["'all'"]),
            ("plpgsql.variable_conflict", ["'use_column'"]),
            ("plpgsql.check_asserts", ["off"]), ("search_path", ["''", "'nowhere'", "pg_temp", "'$user', pg_catalog"]),
            ("application_name", ["E'it''s \\\\ odd'"]), ("client_encoding", ["'LATIN1'", "'SQL_ASCII'"]),
            ("client_min_messages", ["'error'"]),
            ("dionysus.traceparent", ["'nonsense'", "repeat('x', 100)"]), ("dionysus.tracestate", ["'ü'"]),
            ("tcp_keepalives_idle", ["10"]),
            ("idle_in_transaction_session_timeout", ["'60s'"]), ("vacuum_cost_delay", ["1"]),
            ("default_toast_compression", ["'pglz'"]),
            ("default_table_access_method", ["'heap'"]), ("gin_fuzzy_search_limit", ["1"]),
            ("session_preload_libraries", ["''"]),
            ("exit_on_error", ["off"]), ("password_encryption", ["'md5'"]), ("stats_fetch_consistency", ["'none'"]),
        ]
        let scripts: [String] = values.map { name, values -> String in
            let each: [String] = values.map { value -> String in
                let isExpression = value.hasPrefix("repeat") || value.hasPrefix("E'")
                // Not every version knows each of them, which is then an error in both.
                return """
                    \\echo \(name)
                    \(isExpression ? "SELECT length(set_config('\(name)', \(value), false));" : "SET \(name) = \(value);")
                    INSERT INTO :s.t VALUES (1, '2024-02-03 04:05:06+00', interval '1' day, 0.1, '\\x5c00', 1, '<a/>', ARRAY[1, NULL], '{"a": 1}', 1, 'x', ARRAY[timestamptz 'epoch']);
                    UPDATE :s.t SET d = d + interval '1' day, i = i * -2, f = f / 3, b = b || b, m = m * 2, a = a || 1, j = '[]';
                    UPDATE :s.t SET id = 2; DELETE FROM :s.t; INSERT INTO :s.t (id) VALUES (3) ON CONFLICT DO NOTHING;
                    DELETE FROM :s.t; RESET \(name);
                    """
            }
            return each.joined(separator: "\n")
        }
        try await CapturedWriteTrial.run([
            CapturedWrite(
                "settings",
                on: [Captured(partitionKey: "d", kept: ["d"], reference: (column: "p", table: "p"))],
                setup: """
                    CREATE TABLE p (id bigint PRIMARY KEY); INSERT INTO p VALUES (1);
                    CREATE TABLE t (id bigint PRIMARY KEY, d timestamptz, i interval, f float8, b bytea, m money, x xml, a int[], j json, p bigint, s "char", l timestamptz[]);
                    """,
                scripts.joined(separator: "\n")
            )
        ])
    }

    @Test("every kind of role")
    func roles() async throws {
        let grants = "GRANT SELECT, INSERT, UPDATE, DELETE ON t TO :role;"
        try await CapturedWriteTrial.run([
            CapturedWrite(
                "without rights on anything else",
                setup: grants,
                "\\c - :role\nUPDATE :s.t SET v = 'w'; INSERT INTO :s.t (id) VALUES (10); DELETE FROM :s.t WHERE id = 1;"
            ),
            CapturedWrite(
                "with rights on a few columns",
                setup: "GRANT INSERT (id, v), UPDATE (v) ON t TO :role;",
                """
                \\c - :role
                INSERT INTO :s.t (id, v) VALUES (10, 'x'); UPDATE :s.t SET v = 'all'; UPDATE :s.t SET n = 1; DELETE FROM :s.t; SELECT * FROM :s.t;
                """
            ),
            CapturedWrite(
                "with settings of its own",
                setup: grants + """
                    ALTER ROLE :role SET search_path = 'nowhere'; ALTER ROLE :role SET row_security = off; ALTER ROLE :role SET DateStyle = 'German';
                    ALTER ROLE :role SET default_transaction_isolation = 'serializable'; ALTER ROLE :role SET default_transaction_deferrable = on;
                    ALTER ROLE :role SET plpgsql.variable_conflict = 'use_column'; ALTER ROLE :role CONNECTION LIMIT 3;
                    """,
                """
                \\c - :role
                UPDATE :s.t SET v = 'w'; INSERT INTO :s.t (id) VALUES (10); DELETE FROM :s.t WHERE id = 1;
                \\c - :admin
                ALTER ROLE :role RESET ALL;
                """
            ),
            CapturedWrite(
                "under row-level security",
                setup: grants + """
                    ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY own ON t TO PUBLIC USING (k = 'a') WITH CHECK (n < 100);
                    """,
                """
                \\c - :role
                UPDATE :s.t SET v = 'w'; INSERT INTO :s.t (id, k) VALUES (10, 'a'), (11, 'b'); INSERT INTO :s.t (id, n) VALUES (12, 100);
                DELETE FROM :s.t WHERE id = 1; UPDATE :s.t SET k = 'b' WHERE id = 10;
                """
            ),
            CapturedWrite(
                "in functions of another's rights",
                setup: """
                    CREATE FUNCTION put(bigint) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ INSERT INTO t (id) VALUES ($1) RETURNING id $$;
                    CREATE PROCEDURE change() LANGUAGE plpgsql AS $$ BEGIN UPDATE t SET v = '1'; COMMIT; UPDATE t SET v = '2'; ROLLBACK; DELETE FROM t WHERE id = 1; END $$;
                    """ + grants,
                "CALL change();\n\\c - :role\nSELECT :s.put(10); SET ROLE none; SET SESSION AUTHORIZATION DEFAULT; UPDATE :s.t SET v = 'x';"
            ),
            CapturedWrite(
                "a replica's, which is not captured",
                recorded: .exactly([]),
                "SET session_replication_role = replica; UPDATE t SET v = 'r'; DELETE FROM t WHERE id = 1; INSERT INTO t (id) VALUES (10);"
            ),
            CapturedWrite(
                "a role that is taken away, and tables that change hands",
                setup: "ALTER TABLE t OWNER TO :role; GRANT CREATE ON SCHEMA :s TO :role;",
                """
                \\c - :role
                UPDATE :s.t SET v = 'mine'; ALTER TABLE :s.t ADD more int; UPDATE :s.t SET more = 1;
                \\c - :admin
                ALTER TABLE :s.t OWNER TO :admin; UPDATE :s.t SET v = 'yours'; REVOKE ALL ON SCHEMA :s FROM PUBLIC, :role; UPDATE :s.t SET v = 'ours';
                """
            ),
        ])
    }
}
