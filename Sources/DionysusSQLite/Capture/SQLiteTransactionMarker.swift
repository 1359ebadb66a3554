import Dionysus

/// What holds for one transaction only: that its changes are not captured, and its trace context.
///
/// SQLite has no settings that end with a transaction. So they stand in a row that must not be there when the
/// transaction is committed: it refers to a row that can't exist, by a foreign key that is checked at the commit. A
/// connection that does not enforce foreign keys is refused the row.
enum SQLiteTransactionMarker {
    static let tables = ["dionysus_transaction", "dionysus_transaction_end"]

    static let creation: [SQL] = [
        "CREATE TABLE IF NOT EXISTS dionysus_transaction_end (id INTEGER PRIMARY KEY, CHECK (0))",
        """
        CREATE TABLE IF NOT EXISTS dionysus_transaction (
          id INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1),
          capture TEXT,
          traceparent TEXT,
          tracestate TEXT,
          must_be_deleted_before_commit INTEGER NOT NULL DEFAULT 1
            REFERENCES dionysus_transaction_end (id) DEFERRABLE INITIALLY DEFERRED
        )
        """,
        """
        CREATE TRIGGER IF NOT EXISTS dionysus_transaction_needs_foreign_keys BEFORE INSERT ON dionysus_transaction
        WHEN (SELECT foreign_keys FROM pragma_foreign_keys) = 0 BEGIN
          SELECT RAISE(ABORT, 'dionysus_transaction can only be used with PRAGMA foreign_keys = ON');
        END
        """,
    ]

    /// The condition under which a trigger captures.
    static let isCaptured = "NOT EXISTS (SELECT 1 FROM dionysus_transaction WHERE capture = 'off')"

    static let suppression: SQL = """
        INSERT INTO dionysus_transaction (capture) VALUES ('off') ON CONFLICT (id) DO UPDATE SET capture = 'off'
        """

    static func traceContext(_ traceparent: String?, _ tracestate: String?) -> SQL {
        """
        INSERT INTO dionysus_transaction (traceparent, tracestate) VALUES (\(traceparent), \(tracestate))
        ON CONFLICT (id) DO UPDATE SET traceparent = excluded.traceparent, tracestate = excluded.tracestate
        """
    }

    static let removal: SQL = "DELETE FROM dionysus_transaction"
}
