package import Dionysus

/// Locks as rows of a table of ours.
///
/// An advisory lock may be taken by everybody who may connect, and by the same name; a row only by a role that has a right on
/// its table.
extension PostgresDialect {
    /// How long a transaction that takes one waits for a lock: this one, and all that it needs afterwards.
    ///
    /// The wait can't be interrupted, so that it also bounds how long a process takes to stop.
    private static let timeout = "5s"

    /// A lock that can be shared is so many rows: who shares takes one of them, who doesn't takes all.
    ///
    /// `FOR SHARE` on one row would let those who share overtake the one who waits to have it alone.
    private static let shares = 32

    package func transactionLock(_ name: String) -> [SQL] {
        [
            setTimeout,
            "INSERT INTO dionysus_locks (name, share) VALUES (\(name), 0) ON CONFLICT DO NOTHING",
            "SELECT 1 FROM dionysus_locks WHERE name = \(name) FOR UPDATE",
        ]
    }

    package func transactionLock(_ name: String, shared: Bool) -> [SQL] {
        let own: SQL = shared ? "AND share = pg_backend_pid() % \(raw: "\(Self.shares)")" : ""
        return [
            setTimeout,
            // One statement makes all rows, so that either all of them are there or none.
            """
            INSERT INTO dionysus_locks (name, share)
            SELECT \(name), share FROM generate_series(0, \(raw: "\(Self.shares - 1)")) AS share
            WHERE NOT EXISTS (SELECT 1 FROM dionysus_locks WHERE name = \(name)) ORDER BY share ON CONFLICT DO NOTHING
            """,
            "SELECT 1 FROM dionysus_locks WHERE name = \(name) \(own) ORDER BY share FOR UPDATE",
        ]
    }

    private var setTimeout: SQL { "SELECT set_config('lock_timeout', \(Self.timeout), true)" }

    package var lockCreation: SQL? {
        "CREATE TABLE IF NOT EXISTS dionysus_locks (name text, share integer, PRIMARY KEY (name, share))"
    }

    package var lockRemoval: [SQL] {
        [
            """
            DO $dionysus$
            BEGIN
              IF NOT EXISTS (SELECT FROM pg_class WHERE relname LIKE 'dionysus\\_%' AND relname <> 'dionysus_locks'
                AND relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace)
              THEN
                DROP TABLE IF EXISTS dionysus_locks;
              END IF;
            END $dionysus$
            """
        ]
    }
}
