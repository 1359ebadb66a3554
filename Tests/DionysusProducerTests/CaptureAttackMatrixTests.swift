import Dionysus
import DionysusPostgres
import TestSupport
import Testing

/// Every kind of role tries every kind of attack.
///
/// A cell's outcome is written down: the attack is refused for want of a right, or it is possible and harmless. Then other
/// roles' writes run no code of the attacker's with the rights of the owner of the capture functions or of the role that
/// migrated, and the changes are captured as ever.
@Suite(.enabled(if: TestDatabaseKind.available.contains(.postgres)))
struct CaptureAttackMatrixTests {
    enum Role: String, CaseIterable {
        case nobody, writer, creator, ownerOfCaptured, ownerOfAnother, relay
    }

    /// The right without which an attack is refused.
    enum Need {
        case nothing
        /// To create objects in the outbox's schema.
        case creation
        /// To own the captured table.
        case ownership
    }

    struct Attack {
        let name: String
        let need: Need
        /// Whether the table's own writes may fail afterwards: what its owner does to it is the owner's business.
        var mayBreakTable = false
        let statements: [String]
    }

    enum Outcome: Equatable { case refused, harmless }

    private static func expected(_ attack: Attack, _ role: Role, _ schema: CaptureAttackTests.PublicSchema) -> Outcome {
        switch attack.need {
        case .nothing: .harmless
        case .creation: role == .creator || schema == .open ? .harmless : .refused
        case .ownership: role == .ownerOfCaptured ? .harmless : .refused
        }
    }

    /// A function in a schema of the attacker's, or where that can't be, in the temporary one, that tells who it runs as.
    private static func function(_ signature: String, returns type: String, _ value: String) -> String {
        """
        CREATE FUNCTION \(signature) RETURNS \(type) LANGUAGE plpgsql AS $f$
        BEGIN INSERT INTO public.code_ran VALUES (current_user, '\(type)'); RETURN \(value); END $f$
        """
    }

    private static let trick = "CREATE TYPE pg_temp.trick AS ENUM ('1', '7')"

    private static func cast(to type: String, _ value: String, _ context: String) -> [String] {
        [
            function("pg_temp.cast_to_\(type)(pg_temp.trick)", returns: type, value),
            "CREATE CAST (pg_temp.trick AS \(type)) WITH FUNCTION pg_temp.cast_to_\(type)(pg_temp.trick) \(context)",
        ]
    }

    private static let casts =
        [trick] + cast(to: "bigint", "1", "AS IMPLICIT") + cast(to: "integer", "1", "AS IMPLICIT")
        + cast(to: "text", "'1'", "AS IMPLICIT") + cast(to: "json", "'1'", "") + cast(to: "jsonb", "'1'", "")

    static let attacks: [Attack] = [
        Attack(
            name: "own cast of the key",
            need: .ownership,
            mayBreakTable: true,
            statements: casts + [
                "ALTER TABLE public.shops DROP CONSTRAINT shops_pkey, ALTER COLUMN id TYPE pg_temp.trick USING '1'"
            ]
        ),
        Attack(
            name: "own cast of the partition key",
            need: .ownership,
            mayBreakTable: true,
            statements: casts + ["ALTER TABLE public.shops ALTER COLUMN account_id TYPE pg_temp.trick USING '7'"]
        ),
        Attack(
            name: "own operator on the key",
            need: .creation,
            statements: [
                function("public.same(integer, bigint)", returns: "boolean", "true"),
                "CREATE OPERATOR public.= (LEFTARG = integer, RIGHTARG = bigint, FUNCTION = public.same)",
            ]
        ),
        Attack(
            name: "own function that matches better",
            need: .creation,
            statements: [
                function("public.jsonb_build_object(text, jsonb)", returns: "jsonb", "'{}'"),
                function("public.concat(integer)", returns: "text", "'1'"),
                function("public.concat(bigint)", returns: "text", "'1'"),
            ]
        ),
        Attack(
            name: "domain with a check",
            need: .ownership,
            statements: [
                function("pg_temp.check_it(text)", returns: "boolean", "true"),
                "CREATE DOMAIN pg_temp.checked AS text CHECK (pg_temp.check_it(VALUE))",
                "ALTER TABLE public.shops ALTER COLUMN region TYPE pg_temp.checked",
            ]
        ),
        Attack(
            name: "composite with a value that prints by own code",
            need: .ownership,
            mayBreakTable: true,
            statements: casts + [
                "CREATE TYPE pg_temp.pair AS (one pg_temp.trick, two text)",
                "ALTER TABLE public.shops ALTER COLUMN region TYPE pg_temp.pair USING NULL",
            ]
        ),
        Attack(
            name: "default",
            need: .ownership,
            statements: [
                function("pg_temp.value()", returns: "text", "'south'"),
                "ALTER TABLE public.shops ALTER COLUMN region SET DEFAULT pg_temp.value()",
            ]
        ),
        Attack(
            name: "generated column",
            need: .ownership,
            mayBreakTable: true,
            statements: [
                """
                CREATE FUNCTION pg_temp.derive(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $f$
                BEGIN INSERT INTO public.code_ran VALUES (current_user, 'generated'); RETURN 'x'; END $f$
                """,
                "ALTER TABLE public.shops ADD COLUMN derived text GENERATED ALWAYS AS (pg_temp.derive(name)) STORED",
            ]
        ),
        Attack(
            name: "rule",
            need: .ownership,
            statements: [
                function("pg_temp.look()", returns: "text", "'x'"),
                "CREATE RULE also AS ON UPDATE TO public.shops DO ALSO SELECT pg_temp.look()",
            ]
        ),
        Attack(
            name: "view in the table's place",
            need: .ownership,
            mayBreakTable: true,
            statements: [
                "DROP TABLE public.shops",
                function("pg_temp.look()", returns: "bigint", "1"),
                """
                CREATE TEMPORARY VIEW shops AS
                SELECT pg_temp.look() AS id, 7::bigint AS account_id, NULL::text AS closed_at, 'x'::text AS name
                """,
            ]
        ),
        Attack(
            name: "temporary objects",
            need: .nothing,
            statements: [
                "CREATE TEMPORARY TABLE dionysus_outboxes (id bigint)",
                "CREATE TEMPORARY TABLE dionysus_wake_ups (channel text)",
                "CREATE TEMPORARY TABLE pg_inherits (inhrelid oid, inhparent oid)",
                function("pg_temp.concat(integer)", returns: "text", "'1'"),
            ]
        ),
        Attack(
            name: "search path",
            need: .nothing,
            statements: [
                function("pg_temp.concat(bigint)", returns: "text", "'1'"),
                "SET LOCAL search_path = pg_temp, public, pg_catalog",
            ]
        ),
        Attack(
            name: "settings",
            need: .nothing,
            statements: [
                "SELECT set_config('dionysus.tracestate', repeat('x', 1000000), true)",
                "SELECT set_config('dionysus.traceparent', chr(27) || '[2J', true)",
                "SET LOCAL dionysus.capture = 'off'", "SET LOCAL standard_conforming_strings = off",
                "SET LOCAL array_nulls = off", "SET LOCAL DateStyle = 'German'",
            ]
        ),
        Attack(
            name: "locks",
            need: .nothing,
            statements: [
                "SELECT pg_advisory_xact_lock(hashtext('dionysus:migrate'))",
                "SELECT pg_advisory_xact_lock(hashtext('dionysus:version'))",
            ]
        ),
        Attack(
            name: "names",
            need: .creation,
            statements: [
                "CREATE TABLE public.\"a.b\" (id bigint)",
                function("public.dionysus_capture_x()", returns: "trigger", "NULL"),
                """
                CREATE TRIGGER dionysus_capture_insert AFTER INSERT ON public."a.b"
                FOR EACH STATEMENT EXECUTE FUNCTION public.dionysus_capture_x()
                """,
            ]
        ),
    ]

    @Test(
        "no role gains anything by any attack",
        arguments: [CaptureAttackTests.Migrator.superuser, .roleMaker],
        CaptureAttackTests.PublicSchema.allCases
    )
    func matrix(_ migrator: CaptureAttackTests.Migrator, _ schema: CaptureAttackTests.PublicSchema) async throws {
        try await Siege.run(migrator, schema) { siege in
            try await siege.migrate()
            for attack in Self.attacks {
                for role in Role.allCases {
                    let cell = "\(role): \(attack.name)"
                    let result = try await siege.attempt(attack, as: role)
                    #expect(result.outcome == Self.expected(attack, role, schema), "\(cell)")
                    #expect(result.roles.isDisjoint(with: siege.protectedRoles), "\(cell)")
                    if !attack.mayBreakTable || result.outcome == .refused {
                        #expect(result.captured == 3, "\(cell)")
                    }
                }
            }
        }
    }
}

extension Siege {
    private func name(of role: CaptureAttackMatrixTests.Role) -> String {
        switch role {
        case .nobody: nobody
        case .writer: writer
        case .creator: creator
        case .ownerOfCaptured: landlord
        case .ownerOfAnother: seller
        case .relay: relay
        }
    }

    private struct Undone: Error {
        let outcome: CaptureAttackMatrixTests.Outcome
        let roles: Set<String>
        let captured: Int64
    }

    /// Lets a role attack and another one write, and undoes it all.
    /// - Returns: Whether the attack was refused, the roles that its code ran as, and the number of captured changes.
    func attempt(
        _ attack: CaptureAttackMatrixTests.Attack,
        as role: CaptureAttackMatrixTests.Role
    ) async throws -> (outcome: CaptureAttackMatrixTests.Outcome, roles: Set<String>, captured: Int64) {
        let attacker = name(of: role)
        let writer = writer
        let writes = [
            "INSERT INTO public.shops (id, account_id, name) VALUES ('7', '7', 'x')",
            "UPDATE public.shops SET name = 'y' WHERE id = '7'", "DELETE FROM public.shops WHERE id = '7'",
        ]
        do {
            try await superuser.transaction(.write) { transaction in
                var outcome = CaptureAttackMatrixTests.Outcome.harmless
                do {
                    try transaction.savepoint { transaction in
                        try transaction.run("SET LOCAL SESSION AUTHORIZATION \(identifier: attacker)")
                        for statement in attack.statements { try transaction.run(SQL(raw: statement)) }
                    }
                } catch let error as DionysusError where error.message.contains("42501") {
                    outcome = .refused
                }
                try transaction.run("SET LOCAL SESSION AUTHORIZATION \(identifier: writer)")
                for write in writes { try? transaction.savepoint { _ = try $0.run(SQL(raw: write)) } }
                try transaction.run("RESET SESSION AUTHORIZATION")
                let roles = try transaction.run("SELECT DISTINCT who FROM public.code_ran").rows
                    .compactMap { try $0.text(0) }
                let captured = try transaction.run("SELECT count(*) FROM public.dionysus_outboxes").first?.integer(0)
                throw Undone(outcome: outcome, roles: Set(roles), captured: captured ?? 0)
            }
            return (.harmless, [], 0)
        } catch let undone as Undone {
            return (undone.outcome, undone.roles, undone.captured)
        }
    }
}
