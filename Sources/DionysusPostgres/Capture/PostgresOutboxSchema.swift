import Dionysus

/// Creating, maintaining and removing the outbox's tables.
extension PostgresOutbox {
    func canCreateBeside(in transaction: inout Transaction) throws -> Bool {
        let result = try transaction.run(
            """
            SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.oid = pg_catalog.to_regclass(\(literal(tables.name)))::pg_catalog.oid AND n.nspname <> pg_catalog.current_schema()
            """
        )
        return !result.isEmpty
    }

    func creation(beside: Bool) -> [SQL] {
        [
            // An outbox that the search path finds is this one, also if new tables would go elsewhere.
            """
            SELECT pg_catalog.set_config('search_path',
              pg_catalog.quote_ident(n.nspname) || ', ' || pg_catalog.current_setting('search_path'), true)
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.oid = pg_catalog.to_regclass(\(literal(tables.name)))::pg_catalog.oid AND NOT \(beside)
            """,
            """
            CREATE TABLE IF NOT EXISTS \(tables.outbox) (
              id bigserial PRIMARY KEY,
              resource_class text NOT NULL,
              resource_id text NOT NULL,
              event_name text NOT NULL,
              topic text NOT NULL,
              partition_key text,
              published_at timestamp(6),
              failed_at timestamp(6),
              retry_at timestamp(6),
              error_class text,
              error_message text,
              attempts integer NOT NULL DEFAULT 0,
              created_at timestamp(6) NOT NULL,
              updated_at timestamp(6) NOT NULL,
              changeset jsonb,
              traceparent text,
              tracestate text,
              origin text
            )
            """,
            """
            CREATE INDEX IF NOT EXISTS \(identifier: tables.index("retrying")) ON \(tables.outbox) (resource_class, resource_id)
            WHERE published_at IS NULL AND retry_at IS NOT NULL
            """,
            """
            CREATE INDEX IF NOT EXISTS \(identifier: tables.index("retrying_keys"))
            ON \(tables.outbox) (coalesce(partition_key, resource_class || ':' || resource_id))
            WHERE published_at IS NULL AND retry_at IS NOT NULL
            """,
            """
            CREATE INDEX IF NOT EXISTS \(identifier: tables.index("failed")) ON \(tables.outbox) (id)
            WHERE published_at IS NULL AND failed_at IS NOT NULL
            """,
            tables.destroyedIndex,
            """
            CREATE TABLE IF NOT EXISTS \(tables.lanes) (
              lane integer PRIMARY KEY,
              low_water bigint NOT NULL DEFAULT 0,
              mark_id bigint,
              mark_xid text
            )
            """,
            "CREATE TABLE IF NOT EXISTS \(tables.meta) (name text PRIMARY KEY, value text NOT NULL)",
            """
            INSERT INTO \(tables.meta) (name, value) VALUES ('source_id', gen_random_uuid()::text)
            ON CONFLICT (name) DO NOTHING
            """,
            "CREATE SEQUENCE IF NOT EXISTS \(tables.beside("dionysus_version"))",
            // The lock that a waiting relay holds. Another holder only makes relays poll.
            """
            INSERT INTO \(tables.meta) (name, value)
            VALUES (
              'wake_up_lock', ('x' || left(replace(gen_random_uuid()::text, '-', ''), 16))::bit(64)::bigint::text
            ) ON CONFLICT (name) DO NOTHING
            """,
            // The channel on which changes are announced to a waiting relay. Only relays and capture functions may read it:
            // to know it is enough to keep relays busy.
            """
            CREATE TABLE IF NOT EXISTS \(tables.beside("dionysus_wake_ups")) (
              id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1), channel text NOT NULL
            )
            """,
            """
            INSERT INTO \(tables.beside("dionysus_wake_ups")) (channel)
            VALUES ('dionysus_' || replace(gen_random_uuid()::text, '-', '')) ON CONFLICT (id) DO NOTHING
            """,
            // Transactions whose changes were left out of the outbox on demand.
            """
            CREATE TABLE IF NOT EXISTS \(tables.beside("dionysus_suppressions")) (
              transaction_id text PRIMARY KEY, role_name text NOT NULL, suppressed_at timestamptz(6) NOT NULL
            )
            """,
        ]
    }

    func upkeep() -> [SQL] {
        let name = quotedLiteral(dialect.quoted(tables.path))
        let block = """
            DECLARE sequence oid := pg_catalog.pg_get_serial_sequence(\(name), 'id')::pg_catalog.regclass::pg_catalog.oid;
            BEGIN
              IF EXISTS (SELECT 1 FROM pg_catalog.pg_sequence s WHERE s.seqrelid = sequence AND s.seqcache > 1) THEN
                EXECUTE pg_catalog.format('ALTER SEQUENCE %s CACHE 1', sequence::pg_catalog.regclass);
              END IF;
            END
            """
        return [
            // A session that keeps ids for later would write rows below those that others have written and published.
            SQL(raw: "DO \(quotedLiteral(block))"),
            "REVOKE ALL ON \(tables.beside("dionysus_wake_ups")) FROM PUBLIC",
            // What the planner doesn't know of small tables, it takes for large. Who is vacuuming one, analyzes it.
            "ANALYZE (SKIP_LOCKED) \(tables.outbox), \(tables.lanes), \(tables.meta)",
        ]
    }

    func laneIndexes(lanes: Int) -> [SQL] { tables.laneIndexes(lanes: lanes, dialect) }

    func removal() -> [SQL] {
        [
            """
            DROP TABLE IF EXISTS \(tables.outbox), \(tables.lanes), \(tables.meta),
              \(tables.beside("dionysus_wake_ups")), \(tables.beside("dionysus_suppressions"))
            """,
            "DROP SEQUENCE IF EXISTS \(tables.beside("dionysus_version"))",
            // The role stays, since other databases of the server may use it, without its rights in this one.
            """
            DO $dionysus$ BEGIN
              IF EXISTS (
                SELECT 1 FROM pg_catalog.pg_roles r WHERE r.rolname = 'dionysus_capture'
                  AND pg_catalog.pg_has_role(current_user, r.oid, 'USAGE')
                  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_proc p WHERE p.proowner = r.oid)
              ) THEN
                DROP OWNED BY dionysus_capture;
              END IF;
            END $dionysus$
            """,
        ]
    }

    func lockTimeout(_ timeout: Duration) -> [SQL] {
        [SQL(raw: "SET LOCAL lock_timeout TO \(timeout.milliseconds)")]
    }
}
