/// The names of an outbox's tables: the outbox itself and its auxiliary tables.
///
///     var options = PostgresOptions()
///     options.outbox = try OutboxTables("audit.outbox_events")
public struct OutboxTables: Sendable, Hashable {
    /// The default name of the outbox.
    package static let standardName = "dionysus_outboxes"

    /// The schema of all of them; nil for the schema in which the database finds the outbox or creates tables.
    package let schema: String?
    /// The outbox's name, as in the catalogue.
    package let name: String

    /// The standard names.
    public init() {
        schema = nil
        name = Self.standardName
    }

    /// Parses the name of an outbox.
    ///
    /// The auxiliary tables keep their names, so a schema can have only one outbox.
    /// - Parameter text: `NAME` or `SCHEMA.NAME`, unquoted, as in the catalogue.
    /// - Throws: ``DionysusError`` with code `configuration` for an invalid name.
    public init(_ text: String) throws {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        func fault(_ reason: String) -> DionysusError {
            DionysusError(
                .configuration,
                "the name of the outbox's table \(reason)",
                advice: "write NAME or SCHEMA.NAME, as the catalogue has it"
            )
        }
        guard parts.count <= 2 else { throw fault("has more than one dot") }
        for part in parts {
            if part.isEmpty { throw fault("is empty or has an empty part") }
            if part.utf8.contains(0) { throw fault("has a zero byte") }
            // PostgreSQL truncates longer names, and two truncated names may be equal.
            if part.utf8.count > 63 { throw fault("has a part that is longer than 63 bytes") }
        }
        let last = parts[parts.count - 1]
        if Self.taken.contains(last.lowercased()) { throw fault("is \(last), another table of this library") }
        schema = parts.count == 2 ? parts[0] : nil
        name = last
    }

    private static let taken: Set<String> = [
        "dionysus_lanes", "dionysus_meta", "dionysus_version", "dionysus_wake_ups", "dionysus_suppressions",
        "dionysus_genesis_runs", "dionysus_genesis_chunks", "dionysus_locks", "dionysus_transaction",
        "dionysus_transaction_end", "dionysus_offsets", "dionysus_failures", "dionysus_events", "dionysus_tombstones",
        "dionysus_messages", "dionysus_polls", "dionysus_poll_records",
    ]

    /// The outbox's name with its schema, for ``Transaction/describe(table:)``.
    package var path: String { path(name) }

    /// The name of an auxiliary table, with its schema.
    /// - Returns: `SCHEMA.TABLE`, or just the table's name.
    package func path(_ table: String) -> String { schema.map { "\($0).\(table)" } ?? table }

    /// The name of an index of the outbox, without its schema.
    ///
    /// Its prefix prevents confusion with an application's indexes.
    /// - Parameter purpose: The index's purpose: `pending`.
    package func index(_ purpose: String) -> String {
        let stem = name == Self.standardName ? name : "dionysus_\(name)"
        let room = 62 - purpose.utf8.count
        // A name must not be truncated within a character.
        var kept = stem[...]
        while kept.utf8.count > room { kept.removeLast() }
        return "\(kept)_\(purpose)"
    }

    /// The outbox as SQL.
    package var outbox: SQL { "\(identifier: path)" }
    /// The lane table as SQL.
    package var lanes: SQL { beside("dionysus_lanes") }
    /// The metadata table as SQL.
    package var meta: SQL { beside("dionysus_meta") }

    /// An auxiliary table as SQL.
    package func beside(_ table: String) -> SQL { "\(identifier: path(table))" }

    /// Whether a row tells of a record's destruction, and is not published: the condition of ``destroyedIndex``.
    package static func isPendingDestruction(of alias: String) -> SQL {
        "\(raw: alias)published_at IS NULL AND \(raw: alias)event_name LIKE '%destroyed'"
    }

    /// The statement that creates the index in which a relay finds the destruction that a record's row may follow.
    package var destroyedIndex: SQL {
        """
        CREATE INDEX IF NOT EXISTS \(identifier: index("destroyed")) ON \(outbox) (resource_id, resource_class)
        WHERE \(Self.isPendingDestruction(of: ""))
        """
    }

    /// The statements that replace the indexes in which a relay finds a lane's rows.
    /// - Returns: The statements.
    package func laneIndexes(lanes: Int, _ dialect: any SQLDialect) -> [SQL] {
        let lane = dialect.laneExpression(
            "coalesce(partition_key, resource_class || ':' || resource_id)",
            lanes: lanes
        )
        return [
            "DROP INDEX IF EXISTS \(identifier: path(index("pending")))",
            "DROP INDEX IF EXISTS \(identifier: path(index("due")))",
            "DROP INDEX IF EXISTS \(identifier: path(index("overdue")))",
            """
            CREATE INDEX \(identifier: index("pending"))
            ON \(outbox) (\(raw: lane), \(raw: OutboxStage.expression()), id) WHERE published_at IS NULL
            """,
            """
            CREATE INDEX \(identifier: index("due"))
            ON \(outbox) (\(raw: lane), (\(dialect.comparableTime("retry_at"))))
            WHERE published_at IS NULL AND retry_at IS NOT NULL
            """,
            """
            CREATE INDEX \(identifier: index("overdue"))
            ON \(outbox) (\(raw: lane), (\(dialect.comparableTime("coalesce(failed_at, updated_at)"))))
            WHERE published_at IS NULL AND retry_at IS NOT NULL
            """,
        ]
    }
}
