/// The names of an outbox's tables: the outbox itself, and those that stand beside it.
///
///     var options = PostgresOptions()
///     options.outbox = try OutboxTables("audit.outbox_events")
public struct OutboxTables: Sendable, Hashable {
    /// The outbox's name unless another is given.
    public static let standardName = "dionysus_outboxes"

    /// The schema of all of them; nil for the one in which the database finds the outbox, or makes tables.
    public let schema: String?
    /// The outbox's own name, as the catalogue has it.
    public let name: String

    /// The tables under their standard names.
    public init() {
        schema = nil
        name = Self.standardName
    }

    /// Reads the name of an outbox.
    ///
    /// The tables beside it keep their names, so that a schema has one outbox.
    /// - Parameter text: `NAME` or `SCHEMA.NAME`, unquoted and as the catalogue has them.
    /// - Throws: ``DionysusError`` with code `configuration` for what can't be such a name.
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
            // PostgreSQL cuts longer names, and two names that are cut may be one.
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
    ]

    /// The outbox's name with its schema, as ``Transaction/describe(table:)`` takes it.
    public var path: String { path(name) }

    /// The name of a table beside the outbox, with its schema.
    /// - Returns: `SCHEMA.TABLE`, or the table's own name.
    public func path(_ table: String) -> String { schema.map { "\($0).\(table)" } ?? table }

    /// The name of an index of the outbox, without its schema.
    ///
    /// It begins with a word of ours, so that no index of an application's own is taken for it.
    /// - Parameter purpose: What it is for: `pending`.
    public func index(_ purpose: String) -> String {
        let stem = name == Self.standardName ? name : "dionysus_\(name)"
        let room = 62 - purpose.utf8.count
        // A name may not be cut within a character.
        var kept = stem[...]
        while kept.utf8.count > room { kept.removeLast() }
        return "\(kept)_\(purpose)"
    }

    /// The outbox in a statement.
    public var outbox: SQL { "\(identifier: path)" }
    /// The table of lanes in a statement.
    public var lanes: SQL { beside("dionysus_lanes") }
    /// The table of notes in a statement.
    public var meta: SQL { beside("dionysus_meta") }

    /// A table beside the outbox in a statement.
    public func beside(_ table: String) -> SQL { "\(identifier: path(table))" }

    /// The statements that make the indexes in which a relay finds the rows of a lane, in the place of earlier ones.
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
