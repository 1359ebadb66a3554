import Dionysus

/// The statements on the outbox.
///
/// They are the same on every database, but for what ``OutboxSupport`` gives.
struct Outbox: Sendable {
    let support: any OutboxSupport
    let dialect: any SQLDialect
    let lanes: Int
    /// Whether the table is one of dionysus-rb: `migrate` adds no columns to it.
    let isMadeByRuby: Bool
    /// Whether the table has the columns that dionysus-rb's lacks.
    let hasContext: Bool
    /// Whether the table has changesets: dionysus-rb's has, where its application observes anything.
    let hasChangeset: Bool
    /// Whether the database stores text of every script.
    let holdsUnicode: Bool
    /// How long an error's text may be, in characters.
    let messageLength: Int
    /// How old a row must be to be published.
    var publishingDelay = Duration.zero
    /// The longest time that a failed row waits, even if another program has set a longer one.
    var maxRetryDelay = Duration.seconds(3_600)

    /// Reads what the outbox of a database is like.
    /// - Throws: ``DionysusError`` with code `declaration` if there is none.
    static func open(of database: any CapturingDatabase, in transaction: inout Transaction) throws -> Outbox {
        let tables = database.outbox.tables
        guard let table = try transaction.describe(table: tables.path),
            try transaction.describe(table: tables.path("dionysus_lanes")) != nil
        else {
            throw DionysusError(
                .declaration,
                "there is no outbox \(tables.path) in the database",
                advice: "run migrate first"
            )
        }
        let isTyped = transaction.dialect.enforcesTypes
        if let fault = try OutboxShape.fault(of: table, enforcesTypes: isTyped)
            ?? OutboxPlace.fault(tables, in: &transaction)
        {
            throw DionysusError(.declaration, fault)
        }
        return Outbox(
            support: database.outbox,
            dialect: database.dialect,
            lanes: try laneCount(tables, in: &transaction),
            isMadeByRuby: isMadeByRuby(table),
            hasContext: OutboxRow.contextColumns.allSatisfy { table.column($0) != nil },
            hasChangeset: table.column("changeset") != nil,
            holdsUnicode: try database.outbox.holdsUnicode(in: &transaction),
            messageLength: OutboxShape.messageLength(of: table)
        )
    }

    static func laneCount(_ tables: OutboxTables, in transaction: inout Transaction) throws -> Int {
        Int(try transaction.run("SELECT count(*) FROM \(tables.lanes)").first?.integer(0) ?? 0)
    }

    static func isMadeByRuby(_ table: TableDescription) -> Bool {
        OutboxRow.contextColumns.allSatisfy { table.column($0) == nil }
    }

    var tables: OutboxTables { support.tables }

    var now: SQL { support.time(shiftedBy: 0) }

    /// The query for the text that identifies this outbox among all others.
    var sourceID: SQL { "SELECT value FROM \(tables.meta) WHERE name = 'source_id'" }

    func lane(of alias: String) -> SQL {
        SQL(raw: dialect.laneExpression(Self.laneText(of: alias), lanes: lanes))
    }

    /// Whether a row is one of a lane `l`.
    ///
    /// SQLite compares a column as the column's type, which the index on the lane's expression doesn't have: then it would
    /// look at every row that was ever published. With its sign, the column is a plain number.
    var isOfLane: SQL { "\(lane(of: "o.")) = +l.lane" }

    /// What decides a row's lane: its partition key, or else its message key.
    static func laneText(of alias: String) -> String {
        "coalesce(\(alias)partition_key, \(alias)resource_class || ':' || \(alias)resource_id)"
    }

    /// A parked row has failed and waits for no further attempt.
    static let isNotParked: SQL = "(o.failed_at IS NULL OR o.retry_at IS NOT NULL)"

    /// Whether a row has yet to be tried.
    var isFresh: SQL { isAt(.fresh) }

    /// Whether the next attempt of a row that has failed is due.
    ///
    /// Fresh and due rows are found by two queries, neither of which reads rows that wait longer.
    /// - Parameter moment: One moment for the whole statement: a row that becomes due while rows are looked at must not
    ///   come after those that wait behind it.
    func isDue(at moment: SQL) -> SQL { "o.retry_at IS NOT NULL AND \(hasCome("o", moment))" }

    /// Whether a row's next attempt is due only because it has waited so long.
    ///
    /// The second condition is hidden from planners: it must not be the one by which rows are found.
    func isOverdue(at moment: SQL) -> SQL {
        """
        o.retry_at IS NOT NULL AND \(hasWaitedLongest("o"))
          AND CASE WHEN \(hasCome("o", moment)) THEN 0 ELSE 1 END = 1
        """
    }

    func hasCome(_ alias: String, _ moment: SQL) -> SQL {
        "\(dialect.comparableTime("\(raw: alias).retry_at")) <= \(dialect.comparableTime(moment))"
    }

    /// Whether a row has waited longer than any time that we would set: dionysus-rb lets rows wait for days, and nothing else
    /// of their records would be published until then.
    func hasWaitedLongest(_ alias: String) -> SQL {
        let failedAt = dialect.comparableTime("coalesce(\(raw: alias).failed_at, \(raw: alias).updated_at)")
        let earliest = support.statementTime(shiftedBy: -(maxRetryDelay / .seconds(1)))
        return "\(failedAt) <= \(dialect.comparableTime(earliest))"
    }

    func isAt(_ stage: OutboxStage) -> SQL {
        "\(raw: OutboxStage.expression(of: "o.")) = \(raw: String(stage.rawValue))"
    }

    /// The stages of rows that are still to be published without help: each is a range of a lane's index.
    static let unsettled = [OutboxStage.fresh, .retrying]

    var moment: SQL { support.statementTime(shiftedBy: 0) }

    /// Whether a row is left alone for now.
    var isYoung: SQL {
        guard publishingDelay > .zero else { return "(1 = 0)" }
        let youngest = support.statementTime(shiftedBy: -(publishingDelay / .seconds(1)))
        return "(\(dialect.comparableTime("o.created_at")) > \(dialect.comparableTime(youngest)))"
    }
}
