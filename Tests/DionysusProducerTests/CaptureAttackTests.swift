import Dionysus
import DionysusPostgres
import DionysusProducer
import Foundation
import TestSupport
import Testing

/// What roles with few rights may try on the source database, and what must come of it.
///
/// The tables have different owners: `areas` belongs to the role that migrates, `shops` and `offers` to others, who
/// could turn against it. Whatever code of theirs runs, it never runs with the rights of the migrating role or of the
/// owner of the capture functions.
@Suite(.enabled(if: TestDatabaseKind.available.contains(.postgres)))
struct CaptureAttackTests {
    /// Who migrates.
    enum Migrator: String, CaseIterable, CustomTestStringConvertible {
        case superuser
        /// Owns no foreign table, but may create roles.
        case roleMaker
        /// May not even create roles.
        case ordinary

        var testDescription: String { rawValue }
    }

    /// What everybody may do in the schema `public`.
    enum PublicSchema: String, CaseIterable, CustomTestStringConvertible {
        /// Create objects, as up to PostgreSQL 14.
        case open
        case closed

        var testDescription: String { rawValue }
    }

    @Test(
        "code of a table's owner does not run with the rights of the one who migrated",
        arguments: [Migrator.superuser, .roleMaker],
        PublicSchema.allCases
    )
    func codeOfOwners(_ migrator: Migrator, _ schema: PublicSchema) async throws {
        try await Siege.run(migrator, schema) { siege in
            try await siege.migrate()
            // Each of these makes a function of the attacker's run in the next write, if anything does.
            for attack in [
                "own implicit cast of the key", "own implicit cast of a foreign key",
                "own cast to text of a partition key",
                "own cast to json of a kept column", "own operator", "domain with a check",
            ] {
                try await siege.attack(attack)
            }
            #expect(try await siege.rolesThatRanCode().isDisjoint(with: siege.protectedRoles))
        }
    }

    @Test(
        "an owner on the way to a record can't run code in the trigger: not by a type, a view, or a policy",
        arguments: [Migrator.superuser, .roleMaker]
    )
    func codeOnTheWay(_ migrator: Migrator) async throws {
        for attack in ["own type of a path's key", "a view in the table's place", "a policy on the table"] {
            try await Siege.run(migrator, .closed) { siege in
                try await siege.migrate()
                try await siege.attack(attack)
                #expect(try await siege.rolesThatRanCode().isDisjoint(with: siege.protectedRoles), "\(attack)")
            }
        }
    }

    @Test(
        "functions and operators in the outbox's schema are never taken for the server's own",
        arguments: Migrator.allCases
    )
    func betterMatches(_ migrator: Migrator) async throws {
        try await Siege.run(migrator, .open) { siege in
            try await siege.plantFunctions()
            try await siege.migrate()
            try await siege.write()
            #expect(try await siege.schema.validate() == [])
            try await siege.prepareAsRelaysDo()
            #expect(try await siege.rolesThatRanCode().isDisjoint(with: siege.protectedRoles))
            #expect(try await siege.outbox() >= 4)
        }
    }

    @Test(
        "operators, functions and types that stand before the server's own in a writer's search path are never run by a function",
        arguments: Migrator.allCases
    )
    func writersSearchPath(_ migrator: Migrator) async throws {
        try await Siege.run(migrator, .closed) { siege in
            try await siege.migrate()
            try await siege.plantTwins()
            let den = "SET LOCAL search_path = den_\(siege.creator), pg_catalog, public"
            try await siege.act(as: siege.writer, den, "SELECT 'a'::pg_catalog.name = 'b'::pg_catalog.name")
            #expect(try await siege.rolesThatRanCode() == [siege.writer])
            for before in [
                "SELECT 1", "SET LOCAL dionysus.capture = 'off'",
                "SET LOCAL dionysus.traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'",
            ] {
                try await siege.act(
                    as: siege.writer,
                    den,
                    before,
                    "INSERT INTO public.areas (id, name) VALUES (41, 'x')",
                    "INSERT INTO public.shops (id, account_id, area_id, name) VALUES (41, 7, 41, 'x')",
                    "DELETE FROM public.shops",
                    "DELETE FROM public.areas"
                )
            }
            #expect(try await siege.rolesThatRanCode().isDisjoint(with: siege.protectedRoles))
            #expect(try await siege.outbox() == 12)
        }
    }

    @Test("nobody can make a trigger of a capture function, or call it", arguments: Migrator.allCases)
    func ownTrigger(_ migrator: Migrator) async throws {
        try await Siege.run(migrator, .open) { siege in
            try await siege.migrate()
            for operation in ["insert", "update", "delete", "truncate"] {
                for attacker in [siege.nobody, siege.creator, siege.landlord] {
                    let error = await #expect(throws: DionysusError.self) {
                        try await siege.act(
                            as: attacker,
                            "CREATE TEMPORARY TABLE bait (id bigint, account_id bigint)",
                            """
                            CREATE TRIGGER bait AFTER INSERT ON bait REFERENCING NEW TABLE AS dionysus_new
                            FOR EACH STATEMENT EXECUTE FUNCTION public.dionysus_capture_shops_\(operation)()
                            """
                        )
                    }
                    #expect(error?.message.contains("42501") == true, "\(operation): \(String(describing: error))")
                }
            }
        }
    }

    @Test("a function that a superuser gives to another table refuses to run there")
    func foreignTable() async throws {
        try await Siege.run(.superuser, .closed) { siege in
            try await siege.migrate()
            try await siege.setUp(
                "CREATE TABLE bait (id bigint, account_id bigint, area_id bigint, name text, region text, closed_at text)",
                """
                CREATE TRIGGER bait AFTER INSERT ON bait REFERENCING NEW TABLE AS dionysus_new
                FOR EACH STATEMENT EXECUTE FUNCTION public.dionysus_capture_shops_insert()
                """
            )
            let error = await #expect(throws: DionysusError.self) {
                try await siege.setUp("INSERT INTO bait (id) VALUES (1)")
            }
            #expect(error?.message.contains("captures the changes of another table") == true)
        }
    }

    @Test("names like ours that others have used are left alone, and in nobody's way", arguments: Migrator.allCases)
    func names(_ migrator: Migrator) async throws {
        try await Siege.run(migrator, .open) { siege in
            try await siege.act(
                as: siege.creator,
                """
                CREATE FUNCTION public.dionysus_capture_areas_insert() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN RETURN NULL; END'
                """,
                #"CREATE TABLE public."a.b" (id int)"#,
                #"CREATE TABLE public."x$dionysus$%s" (id int)"#,
                #"CREATE TABLE public."q""'\;" (id int)"#
            )
            for table in [#""a.b""#, #""x$dionysus$%s""#, #""q""'\;""#] {
                try await siege.act(
                    as: siege.creator,
                    """
                    CREATE TRIGGER dionysus_capture_insert AFTER INSERT ON public.\(table)
                    FOR EACH STATEMENT EXECUTE FUNCTION public.dionysus_capture_areas_insert()
                    """
                )
            }
            try await siege.migrate()
            #expect(try await siege.schema.validate() == [])
            try await siege.write()
            try await siege.schema.migrate(lanes: 4)
            // A trigger is dropped by the owner of its table.
            try await OutboxSchema(database: siege.superuser, registry: siege.registry).uninstall()
            let left = try await siege.query(
                """
                SELECT (SELECT count(*) FROM pg_trigger WHERE tgname = 'dionysus_capture_insert') || ' ' ||
                  (SELECT count(*) FROM pg_proc WHERE proname LIKE 'dionysus%')
                """
            )
            #expect(left == "3 1")
        }
    }

    @Test("a temporary table with a trigger called like ours keeps nobody from starting")
    func temporaryTrigger() async throws {
        try await Siege.run(.superuser, .closed) { siege in
            try await siege.migrate()
            try await siege.holding(
                as: siege.nobody,
                "CREATE TEMPORARY TABLE shadow (id bigint)",
                "CREATE TRIGGER dionysus_capture_x BEFORE UPDATE ON shadow FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
                "CREATE TEMPORARY TABLE dionysus_outboxes (id bigint)"
            ) {
                let faults = try await siege.schema.validate()
                let report = try await siege.schema.migrate(lanes: 4)
                #expect(faults == [])
                #expect(report.changes == [])
            }
        }
    }

    @Test("locks that anybody can hold hold nobody up")
    func locks() async throws {
        try await Siege.run(.superuser, .closed) { siege in
            try await siege.migrate()
            let lock = try await siege.query("SELECT value FROM dionysus_meta WHERE name = 'wake_up_lock'")
            try await siege.holding(
                as: siege.nobody,
                "SELECT pg_advisory_xact_lock(hashtext('dionysus:version'))",
                "SELECT pg_advisory_xact_lock(hashtext('dionysus:migrate'))",
                "SELECT pg_advisory_xact_lock(7235420719571268467)",
                "SELECT pg_advisory_xact_lock(\(lock))"
            ) {
                try await siege.schema.migrate(lanes: 4)
                try await siege.write()
                #expect(try await siege.outbox() >= 4)
            }
        }
    }

    @Test("writers need no right on the outbox and gain none", arguments: Migrator.allCases)
    func rights(_ migrator: Migrator) async throws {
        try await Siege.run(migrator, .closed) { siege in
            try await siege.migrate()
            try await siege.write()
            for statement in [
                "SELECT * FROM dionysus_outboxes", "INSERT INTO dionysus_lanes (lane) VALUES (99)",
                "DELETE FROM dionysus_outboxes", "SELECT channel FROM dionysus_wake_ups",
                "SELECT nextval('dionysus_version')", "UPDATE dionysus_meta SET value = ''",
                "INSERT INTO dionysus_suppressions VALUES ('1', 'me', now())",
            ] {
                for role in [siege.nobody, siege.writer, siege.creator] {
                    await #expect(throws: DionysusError.self, "\(statement)") {
                        try await siege.act(as: role, statement)
                    }
                }
            }
            guard migrator != .ordinary else { return }
            let rights = try await siege.query(
                """
                SELECT r.rolcanlogin || ' ' || r.rolsuper || ' ' ||
                  (SELECT count(*) FROM pg_proc WHERE proname LIKE 'dionysus_capture%' AND proowner <> r.oid) || ' ' ||
                  has_table_privilege(r.oid, 'dionysus_outboxes', 'SELECT') || ' ' ||
                  has_table_privilege(r.oid, 'areas', 'SELECT') || ' ' ||
                  has_column_privilege(r.oid, 'shops', 'name', 'SELECT')
                FROM pg_roles r WHERE r.rolname = 'dionysus_capture'
                """
            )
            #expect(rights == "false false 0 false false false")
        }
    }

    @Test("a migrating role that can't create a role for the functions gets an explanation")
    func warning() async throws {
        try await Siege.run(.ordinary, .closed) { siege in
            let report = try await siege.migrate()
            #expect(report.warnings.contains { $0.contains("CREATE ROLE dionysus_capture NOLOGIN") })
        }
    }

    @Test(
        "a schema of the search path in which anybody may create objects is reported",
        arguments: PublicSchema.allCases
    )
    func openSchema(_ schema: PublicSchema) async throws {
        try await Siege.run(.superuser, schema) { siege in
            let warnings = try await siege.migrate().warnings
            #expect(warnings.contains { $0.contains("REVOKE CREATE ON SCHEMA") } == (schema == .open))
        }
    }

    @Test("a trace context that is not W3C's is not written, however long it is")
    func traceContext() async throws {
        try await Siege.run(.superuser, .closed) { siege in
            try await siege.migrate()
            let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            let cases: [(parent: String, state: String, expected: String)] = [
                (good, "vendor=x", "\(good) vendor=x"), (good, "repeat('x', 20000000)", "\(good) -"),
                (good, "chr(10) || 'forged: yes'", "\(good) -"), (good, "chr(27) || '[2J'", "\(good) -"),
                (good, "'é'", "\(good) -"), ("00-AA-bb-01", "x=y", "- -"), (good + "0", "x=y", "- -"),
                ("x", "x=y", "- -"),
                (good.uppercased(), "x=y", "- -"),
            ]
            for (number, (parent, state, expected)) in cases.enumerated() {
                let value = state.contains("(") || state.hasPrefix("'") ? state : "'\(state)'"
                try await siege.act(
                    as: siege.writer,
                    "SELECT set_config('dionysus.traceparent', '\(parent)', true), set_config('dionysus.tracestate', \(value), true)",
                    "INSERT INTO areas (id, name) VALUES (\(100 + number), 'x')"
                )
                let context = try await siege.query(
                    """
                    SELECT coalesce(traceparent, '-') || ' ' || coalesce(tracestate, '-') FROM dionysus_outboxes
                    WHERE resource_class = 'Area' ORDER BY id DESC LIMIT 1
                    """
                )
                #expect(context == expected, "\(parent)")
            }
        }
    }

    @Test("only members of the outbox's owner suppress capture, and it leaves a trace")
    func suppression() async throws {
        try await Siege.run(.roleMaker, .closed) { siege in
            try await siege.migrate()
            func write(_ id: Int, as role: String, before: String = "SELECT 1") async throws {
                try await siege.act(
                    as: role,
                    before,
                    "SELECT set_config('dionysus.capture', 'off', true)",
                    "INSERT INTO areas (id, name) VALUES (\(id), 'x')",
                    "UPDATE areas SET name = 'y' WHERE id = \(id)"
                )
            }
            try await write(1, as: siege.writer)
            #expect(try await siege.outbox() == 2)
            await #expect(throws: DionysusError.self) {
                try await siege.act(as: siege.writer, "SET LOCAL dionysus.capture = 'off'", "TRUNCATE areas")
            }
            try await write(2, as: siege.migrator)
            #expect(try await siege.outbox() == 2)
            let trace = try await siege.query("SELECT string_agg(role_name, ',') FROM dionysus_suppressions")
            #expect(trace == siege.migrator)
            // A role of choice.
            var settings = ProducerSettings()
            settings.captureSuppressionRole = siege.writer
            try await OutboxSchema(
                database: siege.database,
                registry: Registry(ShopSync<ByTriggers>(), settings: settings)
            )
            .migrate(lanes: 4)
            try await write(3, as: siege.writer)
            #expect(try await siege.outbox() == 2)
            try await write(4, as: siege.migrator)
            #expect(try await siege.outbox() == 4)
        }
    }

    @Test("an installation of an earlier version, whose functions everybody may call, is closed by migrating")
    func upgrade() async throws {
        try await Siege.run(.superuser, .closed) { siege in
            try await siege.migrate()
            try await siege.setUp(
                "GRANT EXECUTE ON FUNCTION dionysus_capture_shops_insert() TO PUBLIC",
                "GRANT EXECUTE ON FUNCTION dionysus_capture_areas_update() TO \(siege.writer)",
                "ALTER FUNCTION dionysus_capture_areas_delete() OWNER TO CURRENT_USER",
                "ALTER FUNCTION dionysus_capture_offers_insert() SET search_path = public"
            )
            let faults = try await siege.schema.validate()
            for table in ["shops", "areas", "offers"] {
                #expect(faults.contains { $0.contains("table \(table) are not those of the declaration") })
            }
            try await siege.schema.migrate(lanes: 4)
            #expect(try await siege.schema.validate() == [])
            let open = try await siege.query(
                """
                SELECT count(*) FROM pg_proc p, aclexplode(p.proacl) g
                WHERE p.proname LIKE 'dionysus_capture%' AND g.grantee <> p.proowner
                """
            )
            #expect(open == "0")
        }
    }

    @Test("settings of the writer's session change nothing of what is captured")
    func settings() async throws {
        try await Siege.run(.superuser, .closed) { siege in
            try await siege.migrate()
            try await siege.act(
                as: siege.writer,
                "SET LOCAL standard_conforming_strings = off",
                "SET LOCAL backslash_quote = on",
                "SET LOCAL transform_null_equals = on",
                "SET LOCAL search_path = den_\(siege.creator), pg_temp",
                "SET LOCAL row_security = off",
                "SET LOCAL quote_all_identifiers = on",
                "SET LOCAL DateStyle = 'German'",
                "SET LOCAL TimeZone = 'Pacific/Apia'",
                "SET LOCAL bytea_output = 'escape'",
                "CREATE TEMPORARY TABLE dionysus_outboxes (id bigint)",
                "CREATE TEMPORARY TABLE pg_class (oid oid)",
                "INSERT INTO public.shops (id, account_id, name) VALUES (71, 7, 'x')",
                "INSERT INTO public.offers (id, shop_id, price) VALUES (71, 71, 5)"
            )
            let events = try await siege.query(
                "SELECT string_agg(event_name || ' ' || partition_key, ', ') FROM public.dionysus_outboxes"
            )
            #expect(events == "shop_created 7, shop_updated 7")
        }
    }
}

/// A database whose tables have several owners, and the roles that attack it.
struct Siege: Sendable {
    let database: PostgresDatabase
    let superuser: PostgresDatabase
    let migrator: String
    let nobody: String
    let writer: String
    let creator: String
    /// Owns `shops`.
    let landlord: String
    /// Owns `offers`.
    let seller: String
    /// Reads what is published, and drains the outbox.
    let relay: String

    var registry: Registry { Registry(ShopSync<ByTriggers>()) }
    var schema: OutboxSchema { OutboxSchema(database: database, registry: registry) }

    static func run(
        _ kind: CaptureAttackTests.Migrator,
        _ schema: CaptureAttackTests.PublicSchema,
        _ body: (Siege) async throws -> Void
    ) async throws {
        try await withTemporaryPostgresURL { url in
            let superuser = try PostgresDatabase(url: url)
            let suffix = String(UInt32.random(in: 0 ... .max), radix: 36)
            let names = ["migrator", "nobody", "writer", "creator", "landlord", "seller", "relay"]
                .map { "\($0)_\(suffix)" }
            let current = try await superuser.transaction(.snapshot) {
                try $0.run("SELECT current_user").first?.text(0)
            }
            let migrator = kind == .superuser ? current ?? "" : names[0]
            var options = PostgresOptions()
            options.maxConnections = 4
            let database = try PostgresDatabase(
                url: url + (url.contains("?") ? "&" : "?") + "options=-c%20role%3D\(migrator)",
                options: options
            )
            let siege = Siege(
                database: kind == .superuser ? superuser : database,
                superuser: superuser,
                migrator: migrator,
                nobody: names[1],
                writer: names[2],
                creator: names[3],
                landlord: names[4],
                seller: names[5],
                relay: names[6]
            )
            for name in names {
                try await siege.setUp(
                    "CREATE ROLE \(name)\(kind == .roleMaker && name == names[0] ? " CREATEROLE" : "")"
                )
            }
            do {
                try await siege.build(kind, schema)
                try await body(siege)
            } catch {
                try await siege.takeDown(names)
                throw error
            }
            try await siege.takeDown(names)
        }
    }

    private func build(_ kind: CaptureAttackTests.Migrator, _ schema: CaptureAttackTests.PublicSchema) async throws {
        for table in CaptureTrial<ByTriggers>.tables { try await setUp(table) }
        try await setUp(
            schema == .open ? "GRANT CREATE ON SCHEMA public TO PUBLIC" : "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
            "GRANT ALL ON SCHEMA public TO \(quoted(migrator)) WITH GRANT OPTION",
            "ALTER TABLE areas OWNER TO \(quoted(migrator))",
            "ALTER TABLE shops OWNER TO \(landlord)",
            "ALTER TABLE offers OWNER TO \(seller)",
            "GRANT SELECT, TRIGGER ON shops, offers TO \(quoted(migrator)) WITH GRANT OPTION",
            "GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON areas, shops, offers TO \(writer), \(creator)",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON areas, shops, offers TO \(landlord), \(seller)",
            "GRANT CREATE ON SCHEMA public TO \(creator)",
            "CREATE TABLE code_ran (who text, what text)",
            "GRANT INSERT ON code_ran TO PUBLIC"
        )
        for attacker in [creator, landlord, seller] {
            try await setUp(
                "CREATE SCHEMA den_\(attacker) AUTHORIZATION \(attacker)",
                "GRANT USAGE ON SCHEMA den_\(attacker) TO PUBLIC"
            )
        }
    }

    private func takeDown(_ names: [String]) async throws {
        if database !== superuser { await database.close() }
        for name in names {
            try await setUp("DROP OWNED BY \(name) CASCADE")
            // One that has granted something that is still there stays until the server is gone.
            try? await setUp("DROP ROLE \(name)")
        }
        await superuser.close()
    }

    private func quoted(_ name: String) -> String { "\"\(name)\"" }

    @discardableResult
    func migrate() async throws -> OutboxSchema.Report { try await schema.migrate(lanes: 4) }

    /// Runs statements as the superuser, each a transaction of its own.
    func setUp(_ statements: String...) async throws {
        for statement in statements {
            _ = try await superuser.transaction(.write) { try $0.run(SQL(raw: statement)) }
        }
    }

    /// Runs statements as a role that has logged in, in one transaction.
    func act(as role: String, _ statements: String...) async throws {
        let all = ["SET LOCAL SESSION AUTHORIZATION \(quoted(role))"] + statements
        _ = try await superuser.transaction(.write) { transaction in
            for statement in all { try transaction.run(SQL(raw: statement)) }
        }
    }

    /// Runs a body while a role's transaction is open.
    func holding(as role: String, _ statements: String..., body: () async throws -> Void) async throws {
        let resource = LeasedResource(name: "holder", lockingQuery: "SELECT 1")
        let lease = try #require(try await superuser.lease(resource, idleTimeout: .seconds(600)))
        let all = ["SET LOCAL SESSION AUTHORIZATION \(quoted(role))"] + statements
        try await lease.perform { transaction in for statement in all { try transaction.run(SQL(raw: statement)) } }
        do {
            try await body()
        } catch {
            await lease.abandon()
            throw error
        }
        await lease.abandon()
    }

    func query(_ statement: String) async throws -> String {
        try await superuser.transaction(.snapshot) { try $0.run(SQL(raw: statement)).first?.text(0) } ?? ""
    }

    /// What a relay's session asks of the database before it publishes.
    func prepareAsRelaysDo() async throws {
        try await database.transaction(.write) { transaction in
            let outbox = database.outbox
            try outbox.raiseVersion(in: &transaction)
            _ = try transaction.describe(table: "shops")
            _ = try outbox.tablesHidingRows(among: ["shops"], in: &transaction)
            _ = try outbox.wakeUp(in: &transaction)
            try transaction.run([outbox.drawVersion(), "SELECT \(outbox.time(shiftedBy: -1))"])
            let keys: [DatabaseValue] = [.text("1"), .text("2")]
            try transaction.run(
                "SELECT 1 FROM shops WHERE \(transaction.dialect.isAnyKey("name", of: keys, type: .text))"
            )
        }
    }

    func outbox() async throws -> Int { Int(try await query("SELECT count(*) FROM dionysus_outboxes")) ?? 0 }

    /// Writes as the application does.
    func write() async throws {
        try await act(
            as: writer,
            "INSERT INTO areas (id, name) VALUES (41, 'x')",
            "INSERT INTO shops (id, account_id, area_id, name) VALUES (41, 7, 41, 'x')",
            "INSERT INTO offers (id, shop_id, price) VALUES (41, 41, 5)",
            "UPDATE shops SET region = 'south', account_id = 8 WHERE id = 41",
            "UPDATE offers SET price = 6 WHERE id = 41",
            "DELETE FROM offers WHERE id = 41",
            "UPDATE areas SET name = 'y' WHERE id = 41"
        )
    }

    /// The roles that code of attackers has run as.
    func rolesThatRanCode() async throws -> Set<String> {
        let names = try await superuser.transaction(.snapshot) { transaction in
            try transaction.run("SELECT DISTINCT who FROM code_ran").rows.compactMap { try $0.text(0) }
        }
        return Set(names)
    }

    var protectedRoles: Set<String> { [migrator, "dionysus_capture"] }

    /// The server's own operators, types and functions once more, in a schema of an attacker's.
    func plantTwins() async throws {
        let den = "den_\(creator)"
        let body = "$f$BEGIN INSERT INTO public.code_ran VALUES (current_user, 'twin'); RETURN NULL; END$f$"
        try await act(
            as: creator,
            """
            DO $do$
            DECLARE twin record;
            BEGIN
              FOR twin IN
                SELECT o.oid::text AS number, o.oprname, o.oprleft::regtype AS left_type, o.oprright::regtype AS right_type,
                  o.oprresult::regtype AS result
                FROM pg_operator o
                WHERE o.oprkind = 'b' AND o.oprname IN ('=', '<>', '<', '>', '<=', '>=', '~', '!~', '||', '-', '+')
                  AND ARRAY[o.oprleft, o.oprright] <@ ARRAY[
                    'name', 'text', 'varchar', 'oid', 'int2', 'int4', 'int8', 'float8', 'numeric', 'bool', 'jsonb', 'timestamptz'
                  ]::regtype[]::oid[]
              LOOP
                EXECUTE format('CREATE FUNCTION \(den).twin_%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS \(body.replacing("'", with: "''"))',
                  twin.number, twin.left_type, twin.right_type, twin.result);
                EXECUTE format('CREATE OPERATOR \(den).%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = \(den).twin_%s)',
                  twin.oprname, twin.left_type, twin.right_type, twin.number);
              END LOOP;
              FOR twin IN
                SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments, p.prorettype::regtype AS result
                FROM pg_proc p
                WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.provariadic = 0 AND NOT p.proretset
                  AND p.prorettype <> 'void'::regtype
                  AND p.proname IN (
                    'current_setting', 'clock_timestamp', 'octet_length', 'to_regclass', 'pg_has_role', 'timezone',
                    'pg_try_advisory_xact_lock_shared', 'pg_current_xact_id', 'pg_notification_queue_usage', 'rtrim'
                  )
              LOOP
                EXECUTE format('CREATE FUNCTION \(den).%I(%s) RETURNS %s LANGUAGE plpgsql AS \(body.replacing("'", with: "''"))',
                  twin.proname, twin.arguments, twin.result);
              END LOOP;
            END
            $do$
            """,
            """
            CREATE FUNCTION \(den).checked(pg_catalog.text) RETURNS boolean LANGUAGE plpgsql AS $f$
            BEGIN INSERT INTO public.code_ran VALUES (current_user, 'type'); RETURN true; END $f$
            """,
            "CREATE DOMAIN \(den).text AS pg_catalog.text CHECK (\(den).checked(VALUE))",
            "CREATE DOMAIN \(den).jsonb AS pg_catalog.jsonb CHECK (\(den).checked(VALUE::pg_catalog.text))",
            "CREATE DOMAIN \(den).oid AS pg_catalog.oid CHECK (\(den).checked(VALUE::pg_catalog.text))"
        )
    }

    /// Functions and operators that are better matches than the server's, in the schema of the outbox.
    func plantFunctions() async throws {
        let note = "INSERT INTO public.code_ran VALUES (current_user, "
        func function(_ signature: String, returns type: String, _ value: String) -> String {
            """
            CREATE FUNCTION public.\(signature) RETURNS \(type) LANGUAGE plpgsql AS $f$
            BEGIN \(note)'\(signature.replacing("'", with: ""))'); RETURN \(value); END $f$
            """
        }
        let statements = [
            function("jsonb_build_object(text, jsonb)", returns: "jsonb", "'{}'"),
            function("jsonb_build_array(bigint, bigint)", returns: "jsonb", "'[]'"),
            function("jsonb_build_array(integer, integer)", returns: "jsonb", "'[]'"),
            function("concat(integer)", returns: "text", "'1'"), function("concat(bigint)", returns: "text", "'1'"),
            function("concat(text)", returns: "text", "'1'"), function("rtrim(text, text)", returns: "text", "'1'"),
            function("octet_length(varchar)", returns: "integer", "1"),
            function("hashtext(varchar)", returns: "integer", "1"),
            function("quote_ident(name)", returns: "text", "'x'"),
            function("format_type(oid, integer, integer)", returns: "text", "'x'"),
            function("to_regclass(name)", returns: "regclass", "NULL"),
            function("current_setting(name, boolean)", returns: "text", "''"),
            function("same(integer, bigint)", returns: "boolean", "true"),
            function("same(varchar, varchar)", returns: "boolean", "true"),
            function("same(name, text)", returns: "boolean", "true"),
            function("joined(name, text)", returns: "text", "'x'"),
            function("same(name, varchar)", returns: "boolean", "true"),
            function("setval(text, bigint)", returns: "bigint", "1"),
            function("nextval(text)", returns: "bigint", "1"),
            function("make_interval(secs double precision)", returns: "interval", "'1s'"),
            function("row_security_active(regclass)", returns: "boolean", "false"),
            function("unnest(smallint[])", returns: "SETOF smallint", "").replacing("RETURN ;", with: "RETURN NEXT 1;"),
            function("unnest(text[])", returns: "SETOF text", "").replacing("RETURN ;", with: "RETURN NEXT 'shops';"),
            function("added(text[], text)", returns: "text[]", "'{id}'"),
            "CREATE AGGREGATE public.array_agg(text) (SFUNC = public.added, STYPE = text[])",
            function("times(numeric, integer)", returns: "numeric", "1"),
            "CREATE OPERATOR public.* (LEFTARG = numeric, RIGHTARG = integer, FUNCTION = public.times)",
            function("same(oid, regclass)", returns: "boolean", "true"),
            "CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = public.same)",
            function("joined(name, name)", returns: "text", "'x'"),
            "CREATE OPERATOR public.|| (LEFTARG = name, RIGHTARG = name, FUNCTION = public.joined)",
            "CREATE OPERATOR public.= (LEFTARG = integer, RIGHTARG = bigint, FUNCTION = public.same)",
            "CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = public.same)",
            "CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = public.same)",
            "CREATE OPERATOR public.~~ (LEFTARG = name, RIGHTARG = text, FUNCTION = public.same)",
            "CREATE OPERATOR public.|| (LEFTARG = name, RIGHTARG = text, FUNCTION = public.joined)",
        ]
        for statement in statements { try await act(as: creator, statement) }
    }

    /// Lets the owner of a captured table do something, and then others write.
    func attack(_ name: String) async throws {
        func den(_ owner: String) -> String { "den_\(owner)" }
        func type(_ owner: String, _ casts: [(String, String, String)]) -> [String] {
            let type = "\(den(owner)).trick_\(UInt32.random(in: 0 ... .max))"
            return ["CREATE TYPE \(type) AS ENUM ('1', '7', '41')"]
                + casts.flatMap { target, value, context in
                    let function = "\(den(owner)).cast_\(UInt32.random(in: 0 ... .max))"
                    return [
                        """
                        CREATE FUNCTION \(function)(\(type)) RETURNS \(target) LANGUAGE plpgsql AS $f$
                        BEGIN INSERT INTO public.code_ran VALUES (current_user, 'cast'); RETURN \(value); END $f$
                        """,
                        "CREATE CAST (\(type) AS \(target)) WITH FUNCTION \(function)(\(type)) \(context)",
                    ]
                } + [type]
        }
        let all = [
            ("bigint", "1", "AS IMPLICIT"), ("integer", "1", "AS IMPLICIT"), ("text", "'1'", "AS IMPLICIT"),
            ("json", "'1'", ""), ("jsonb", "'1'", ""), ("boolean", "true", "AS IMPLICIT"),
        ]
        var statements: [String] = []
        var owner = seller
        var search = "public"
        func retype(_ table: String, _ column: String, by role: String) {
            owner = role
            statements = type(role, all)
            let name = statements.removeLast()
            if column == "id" { statements.append("ALTER TABLE public.\(table) DROP CONSTRAINT \(table)_pkey") }
            statements.append(
                "ALTER TABLE public.\(table) ALTER COLUMN \(column) DROP NOT NULL, ALTER COLUMN \(column) TYPE \(name) USING '1'"
            )
            statements.append("INSERT INTO public.\(table) (\(column)) VALUES ('7')")
            statements.append("UPDATE public.\(table) SET \(column) = '41'")
            statements.append("DELETE FROM public.\(table)")
        }
        switch name {
        case "own implicit cast of the key": retype("offers", "id", by: seller)
        case "own implicit cast of a foreign key": retype("offers", "shop_id", by: seller)
        case "own cast to text of a partition key": retype("shops", "account_id", by: landlord)
        case "own cast to json of a kept column": retype("shops", "closed_at", by: landlord)
        case "own type of a path's key": retype("shops", "id", by: landlord)
        case "own operator":
            let function = "\(den(seller)).same"
            statements = [
                """
                CREATE FUNCTION \(function)(integer, integer) RETURNS boolean LANGUAGE plpgsql AS $f$
                BEGIN INSERT INTO public.code_ran VALUES (current_user, 'operator'); RETURN true; END $f$
                """,
                "CREATE OPERATOR \(den(seller)).= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = \(function))",
            ]
            search = den(seller)
        case "domain with a check":
            statements = [
                """
                CREATE FUNCTION \(den(seller)).check_it(text) RETURNS boolean LANGUAGE plpgsql AS $f$
                BEGIN INSERT INTO public.code_ran VALUES (current_user, 'domain'); RETURN true; END $f$
                """,
                "CREATE DOMAIN \(den(seller)).checked AS text CHECK (\(den(seller)).check_it(VALUE))",
                "ALTER TABLE public.offers ALTER COLUMN price TYPE \(den(seller)).checked",
                "UPDATE public.offers SET price = '9'",
            ]
        case "a view in the table's place", "a policy on the table":
            owner = landlord
            statements = [
                """
                CREATE FUNCTION \(den(landlord)).look() RETURNS bigint LANGUAGE plpgsql AS $f$
                BEGIN INSERT INTO public.code_ran VALUES (current_user, 'look'); RETURN 1; END $f$
                """,
                "GRANT EXECUTE ON FUNCTION \(den(landlord)).look() TO PUBLIC",
            ]
            statements +=
                name.hasPrefix("a policy")
                ? [
                    "ALTER TABLE public.shops ENABLE ROW LEVEL SECURITY",
                    "CREATE POLICY look ON public.shops USING (\(den(landlord)).look() > 0)",
                ] : []
            if name.hasPrefix("a view") {
                try await setUp("GRANT CREATE ON SCHEMA public TO \(landlord)")
                statements += [
                    "ALTER TABLE public.shops RENAME TO old_shops",
                    """
                    CREATE VIEW public.shops AS
                    SELECT \(den(landlord)).look() AS id, 7::bigint AS account_id, NULL::text AS closed_at, 'x' AS name
                    """,
                    "GRANT SELECT ON public.shops TO PUBLIC",
                ]
            }
        default: Issue.record("no attack \(name)")
        }
        // What the attacker does may be refused; the point is whose rights its code gets.
        for statement in statements { try? await act(as: owner, statement) }
        try? await act(
            as: owner,
            "SET LOCAL search_path = \(search), public, pg_catalog",
            "UPDATE public.offers SET price = 9"
        )
        try? await act(as: writer, "INSERT INTO offers (id, shop_id, price) VALUES (81, 1, 5)")
        try? await act(as: writer, "INSERT INTO shops (id, account_id, name) VALUES (81, 7, 'x')")
        try? await act(as: writer, "UPDATE offers SET price = 7", "DELETE FROM offers")
    }
}
