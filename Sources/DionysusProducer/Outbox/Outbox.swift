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
    /// Whether the database stores every text, in whatever script.
    let holdsUnicode: Bool
    /// How long an error's text may be, in characters.
    let messageLength: Int
    /// How old a row must be to be published.
    var publishingDelay = Duration.zero
    /// The longest time for which a failed row waits, whatever another program has written.
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

    /// The statement that asks for what tells this outbox from all others.
    var sourceID: SQL { "SELECT value FROM \(tables.meta) WHERE name = 'source_id'" }

    func lane(of alias: String) -> SQL {
        SQL(raw: dialect.laneExpression(Self.laneText(of: alias), lanes: lanes))
    }

    /// Whether a row is one of a lane `l`.
    ///
    /// SQLite compares a column as the column's type, which the index on the lane's expression doesn't have: then it would
    /// look at every row that was ever published. With its sign, the column is a plain number.
    private var isOfLane: SQL { "\(lane(of: "o.")) = +l.lane" }

    /// What decides a row's lane: its partition key, or else its message key.
    static func laneText(of alias: String) -> String {
        "coalesce(\(alias)partition_key, \(alias)resource_class || ':' || \(alias)resource_id)"
    }

    /// A parked row has failed and waits for no further attempt.
    static let isNotParked: SQL = "(o.failed_at IS NULL OR o.retry_at IS NOT NULL)"

    /// Whether a row has yet to be tried.
    private var isFresh: SQL { isAt(.fresh) }

    /// Whether the next attempt of a row that has failed is due.
    ///
    /// Fresh and due rows are two questions, so that rows that wait longer are not read for either.
    /// - Parameter moment: One moment for the whole statement: a row that becomes due while rows are looked at must not
    ///   come after those that wait behind it.
    private func isDue(at moment: SQL) -> SQL { "o.retry_at IS NOT NULL AND \(hasCome("o", moment))" }

    /// Whether a row's next attempt is due only because it has waited so long.
    ///
    /// The second condition is hidden from planners: it must not be the one by which rows are found.
    private func isOverdue(at moment: SQL) -> SQL {
        """
        o.retry_at IS NOT NULL AND \(hasWaitedLongest("o"))
          AND CASE WHEN \(hasCome("o", moment)) THEN 0 ELSE 1 END = 1
        """
    }

    private func hasCome(_ alias: String, _ moment: SQL) -> SQL {
        "\(dialect.comparableTime("\(raw: alias).retry_at")) <= \(dialect.comparableTime(moment))"
    }

    /// Whether a row has waited longer than any time that we would set: dionysus-rb lets rows wait for days, and nothing else
    /// of their records would be published until then.
    private func hasWaitedLongest(_ alias: String) -> SQL {
        let failedAt = dialect.comparableTime("coalesce(\(raw: alias).failed_at, \(raw: alias).updated_at)")
        let earliest = support.statementTime(shiftedBy: -(maxRetryDelay / .seconds(1)))
        return "\(failedAt) <= \(dialect.comparableTime(earliest))"
    }

    func isAt(_ stage: OutboxStage) -> SQL {
        "\(raw: OutboxStage.expression(of: "o.")) = \(raw: String(stage.rawValue))"
    }

    /// The stages of rows that are still to be published without anybody's help: each is a range of a lane's index.
    static let unsettled = [OutboxStage.fresh, .retrying]

    private var moment: SQL { support.statementTime(shiftedBy: 0) }

    /// Whether a row is left alone for now.
    private var isYoung: SQL {
        guard publishingDelay > .zero else { return "(1 = 0)" }
        let youngest = support.statementTime(shiftedBy: -(publishingDelay / .seconds(1)))
        return "(\(dialect.comparableTime("o.created_at")) > \(dialect.comparableTime(youngest)))"
    }

    // MARK: Claiming

    /// The lanes that have rows to be published now.
    /// - Parameter refused: Models that can't be published for now.
    func pendingLanes(without refused: [RecordGroup] = []) -> SQL {
        let isWanted: SQL = "NOT \(isYoung)\(isNot(refused))"
        return """
            SELECT l.lane FROM \(tables.lanes) l
            WHERE \(laneHas("\(isFresh) AND o.id > l.low_water AND \(isWanted)"))
              OR \(laneHas("\(isDue(at: moment)) AND \(isWanted)"))
              OR \(laneHas("\(isOverdue(at: moment)) AND \(isWanted)"))
            """
    }

    /// Whether a lane `l` has a row that is not published and meets a condition.
    private func laneHas(_ condition: SQL) -> SQL {
        "(SELECT 1 FROM \(tables.outbox) o WHERE \(isOfLane) AND o.published_at IS NULL AND \(condition) LIMIT 1) = 1"
    }

    /// The lanes whose mark has passed rows that are not settled.
    func passedLanes() -> SQL {
        let isPassed = Self.unsettled.map { laneHas("\(isAt($0)) AND o.id <= l.low_water") }
        return "SELECT l.lane FROM \(tables.lanes) l WHERE \(isPassed.joined(separator: " OR "))"
    }

    /// The highest low-water mark, and the highest id that any row has had.
    func marks() -> [SQL] { ["SELECT max(low_water) FROM \(tables.lanes)", support.lastID()] }

    /// A row is of none of these models, from `AND` on.
    private func isNot(_ refused: [RecordGroup], alias: String = "o") -> SQL {
        refused.map { " AND NOT \(isOf($0, alias))" as SQL }.joined(separator: "")
    }

    private func isOf(_ group: RecordGroup, _ alias: String) -> SQL {
        "(\(raw: alias).resource_class = \(group.modelName) AND \(raw: alias).topic = \(group.topic))"
    }

    /// A row stands behind none of a model that can't be published for now, from `AND` on.
    private func isNotBehind(_ refused: [RecordGroup], lane number: Int) -> SQL {
        guard !refused.isEmpty else { return "" }
        let isRefused = refused.map { isOf($0, "b") }.joined(separator: " OR ")
        return """
             AND NOT EXISTS (SELECT 1 FROM \(tables.outbox) b
              WHERE \(lane(of: "b.")) = \(number) AND b.published_at IS NULL AND b.id < o.id AND (\(isRefused))
                AND (b.failed_at IS NULL OR b.retry_at IS NOT NULL)
                AND \(raw: Self.laneText(of: "b.")) = \(raw: Self.laneText(of: "o.")))
            """
    }

    /// The lanes, models and topics of pending rows above an id.
    func pending(after id: Int64) -> SQL {
        """
        SELECT DISTINCT \(lane(of: "o.")), o.resource_class, o.topic FROM \(tables.outbox) o
        WHERE o.id > \(id) AND o.published_at IS NULL
        """
    }

    /// The lock of a lane.
    func lock(ofLane lane: Int) -> LeasedResource {
        LeasedResource(
            name: "lane-\(lane)",
            lockingQuery: "SELECT lane FROM \(tables.lanes) WHERE lane = \(lane) FOR UPDATE SKIP LOCKED"
        )
    }

    func isAboveLowWater(_ alias: String, _ lane: Int) -> SQL {
        "\(raw: alias)id > (SELECT low_water FROM \(tables.lanes) WHERE lane = \(lane))"
    }

    /// Lowers a lane's low-water mark to the first row that is not settled, should one have been passed.
    func sweep(lane number: Int) -> SQL {
        let rows = Self.unsettled.map { stage -> SQL in
            """
            FROM \(tables.outbox) o
            WHERE \(lane(of: "o.")) = \(number) AND o.published_at IS NULL AND \(isAt(stage))
            """
        }
        let lowest = rows.map { "SELECT min(o.id) AS id \($0)" as SQL }.joined(separator: " UNION ALL ")
        let isPassed = rows.map { "EXISTS (SELECT 1 \($0) AND o.id <= dionysus_lanes.low_water)" as SQL }
        return """
            UPDATE \(tables.lanes) SET low_water = (SELECT min(lowest.id) - 1 FROM (\(lowest)) lowest)
            WHERE lane = \(number) AND (\(isPassed.joined(separator: " OR ")))
            """
    }

    /// What ``OutboxRow/init(_:)`` reads.
    private var columns: SQL {
        let own = OutboxRow.columns.map { $0 == "changeset" && !hasChangeset ? "NULL" : "o.\($0)" }
        // Whatever somebody has put there: what is longer than a header may be is none.
        let context = OutboxRow.contextColumns.map { hasContext ? "substr(o.\($0), 1, 1024)" : "NULL" }
        return SQL(raw: (own + context).joined(separator: ", "))
    }

    /// The next rows of a lane that have yet to be tried, in their order, without those that wait behind a failed one.
    /// - Parameter refused: Models that can't be published for now.
    func claim(lane number: Int, limit: Int, onFailure: FailurePolicy, without refused: [RecordGroup] = []) -> SQL {
        let isNext: SQL = "\(isFresh) AND \(isAboveLowWater("o.", number))"
        return """
            SELECT \(columns), CASE WHEN \(isYoung) THEN 1 ELSE 0 END FROM \(tables.outbox) o
            WHERE \(isHeld(lane: number))\(lane(of: "o.")) = \(number) AND o.published_at IS NULL AND \(isNext)
              \(mayGo(onFailure, refused, lane: number, at: moment))
            ORDER BY \(support.claimOrder(lane: lane(of: "o."), id: "o.id")) LIMIT \(limit)
            """
    }

    /// The rows of a lane whose next attempt is due, as ``claim(lane:limit:onFailure:without:)`` finds the others.
    ///
    /// It is asked after that: what doesn't wait behind a row that has become due since, must not be taken without it.
    func claimDue(lane number: Int, limit: Int, onFailure: FailurePolicy, without refused: [RecordGroup] = []) -> SQL {
        let moment = moment
        // Each of the two reasons has an index of its own.
        let due = [isDue(at: moment), isOverdue(at: moment)]
            .map { isDue -> SQL in
                """
                SELECT * FROM \(tables.outbox) o
                WHERE \(isHeld(lane: number))\(lane(of: "o.")) = \(number) AND o.published_at IS NULL AND \(isDue)
                """
            }
        // Ordered by an expression, so that no index on the id alone is walked.
        return """
            SELECT \(columns), CASE WHEN \(isYoung) THEN 1 ELSE 0 END FROM (\(due.joined(separator: " UNION ALL "))) o
            WHERE o.published_at IS NULL\(mayGo(onFailure, refused, lane: number, at: moment))
            ORDER BY (o.id + 0) LIMIT \(limit)
            """
    }

    /// Whether the transaction has the lane's lock, up to `AND`.
    ///
    /// The lock is asked for in the same round trip: whoever doesn't get it must not read rows for nothing.
    private func isHeld(lane number: Int) -> SQL {
        guard !dialect.forUpdate.isEmpty else { return "" }
        return "EXISTS (SELECT 1 FROM \(tables.lanes) WHERE lane = \(number) FOR UPDATE SKIP LOCKED) AND "
    }

    /// Whether a row waits behind no other, from `AND` on.
    private func mayGo(_ onFailure: FailurePolicy, _ refused: [RecordGroup], lane number: Int, at moment: SQL) -> SQL {
        let waits = onFailure == .holdPartitionKey ? isNotBehind(refused, lane: number) : ""
        return "\(isNotHeld(onFailure, at: moment))\(isNot(refused))\(waits)"
    }

    /// No earlier row that it waits for has failed and waits for its next attempt.
    ///
    /// These are looked up row by row, however many there are, and not at all if there are none.
    private func isNotHeld(_ onFailure: FailurePolicy, at moment: SQL) -> SQL {
        let waitsForIt: SQL
        switch onFailure {
        case .pass: return ""
        case .holdRecord:
            waitsForIt = "h.resource_class = o.resource_class AND h.resource_id = o.resource_id AND h.topic = o.topic"
        case .holdPartitionKey: waitsForIt = "\(raw: Self.laneText(of: "h.")) = \(raw: Self.laneText(of: "o."))"
        }
        return """
             AND ((SELECT 1 FROM \(tables.outbox) f WHERE f.published_at IS NULL AND f.retry_at IS NOT NULL
                ORDER BY f.resource_class, f.resource_id LIMIT 1) IS NULL
              OR (SELECT 1 FROM \(tables.outbox) h
                WHERE h.published_at IS NULL AND h.retry_at IS NOT NULL AND NOT \(hasCome("h", moment)) AND NOT \(hasWaitedLongest("h"))
                  AND h.id < o.id
                  AND \(waitsForIt) LIMIT 1) IS NULL)
            """
    }

    /// Whether a row has one of some ids.
    func isAny(_ ids: [Int64], alias: String = "") -> SQL {
        dialect.isAnyKey("\(raw: alias)id", of: ids.map { .integer($0) }, type: .integer)
    }

    // MARK: Settling

    /// Marks rows as published, or deletes them.
    func settle(_ ids: [Int64], deleting: Bool) -> SQL {
        if deleting { return "DELETE FROM \(tables.outbox) WHERE \(isAny(ids))" }
        // What went wrong before is over, and dionysus-rb's dashboards count what has an error.
        return """
            UPDATE \(tables.outbox) SET published_at = \(now), updated_at = \(now), failed_at = NULL, retry_at = NULL,
              error_class = NULL, error_message = NULL WHERE \(isAny(ids))
            """
    }

    /// Settles rows that are still to be published, so that the number of changed rows tells whether all of them were.
    func take(_ ids: [Int64], deleting: Bool) -> SQL {
        "\(settle(ids, deleting: deleting)) AND published_at IS NULL"
    }

    /// Marks rows as published although no message of their own was sent, and says why.
    func settle(_ ids: [Int64], note: String) -> SQL {
        """
        UPDATE \(tables.outbox) SET published_at = \(now), updated_at = \(now), failed_at = NULL, retry_at = NULL,
          error_class = NULL, error_message = \(storable(note)) WHERE \(isAny(ids))
        """
    }

    /// What is noted of a row that failed.
    struct Failure: Sendable {
        let id: Int64
        let error: DionysusError
        /// How often the row has been tried, this time included if it counts.
        let attempts: Int64
    }

    /// Notes that rows failed: they are tried again after the delay, or parked without one.
    /// - Parameters:
    ///   - failures: The rows, and why they failed.
    ///   - seconds: The delay, or nil to park them.
    func fail(_ failures: [Failure], retryAfter seconds: Double?) -> SQL {
        let retryAt: SQL = seconds.map { support.time(shiftedBy: $0) } ?? "NULL"
        let columns = [
            BulkColumn("id", .integer, failures.map { .integer($0.id) }),
            BulkColumn("attempts", .integer, failures.map { .integer($0.attempts) }),
            BulkColumn("class", .text, failures.map { .text($0.error.code.description) }),
            BulkColumn("message", .text, failures.map { .text(storable($0.error.description)) }),
        ]
        return """
            UPDATE \(tables.outbox) AS o SET failed_at = \(now), updated_at = \(now), attempts = f.attempts,
              error_class = f.class, error_message = f.message, retry_at = \(retryAt)
            FROM \(dialect.lookupRows(columns, alias: "f")) WHERE o.id = f.id
            """
    }

    /// A text of bounded length without what the database can't store as text, which is escaped.
    func storable(_ text: String) -> String {
        let scalars = text.unicodeScalars.prefix(messageLength)
        if holdsUnicode { return String(scalars.map { $0.value == 0 ? "\u{FFFD}" : Character($0) }) }
        let escaped = scalars.map { $0.isASCII && $0.value != 0 ? String($0) : "\\u{\(String($0.value, radix: 16))}" }
        return String(escaped.joined().prefix(messageLength))
    }

    /// Records an update of records, so that their last message becomes current again.
    func refresh(_ rows: [OutboxRow]) -> SQL {
        let columns = [
            BulkColumn("resource_class", .text, rows.map { .text($0.resourceClass) }),
            BulkColumn("resource_id", .text, rows.map { .text($0.resourceID) }),
            BulkColumn("event_name", .text, rows.map { .text(eventTellingAgain($0)) }),
            BulkColumn("topic", .text, rows.map { .text($0.topic) }),
            BulkColumn("partition_key", .text, rows.map { $0.partitionKey.databaseValue }),
        ]
        return """
            INSERT INTO \(tables.outbox)
              (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at)
            SELECT resource_class, resource_id, event_name, topic, partition_key, \(now), \(now)
            FROM \(dialect.rows(columns, alias: "fresh"))
            """
    }

    /// A creation is told again as an update: the record may have been soft-deleted since, and what told so may stand before
    /// this in the log.
    private func eventTellingAgain(_ row: OutboxRow) -> String {
        guard let name = EventName(row.eventName), name.change == .created else { return row.eventName }
        return EventName(name.singular, .updated).description
    }

    // MARK: Asking

    /// A lane with a row that could be published now, if there is any.
    func somePublishable(onFailure: FailurePolicy, without refused: [RecordGroup] = []) -> SQL {
        let moment = moment
        let mayGo: SQL = "\(isNotHeld(onFailure, at: moment))\(isNot(refused))"
        return """
            SELECT l.lane FROM \(tables.lanes) l
            WHERE \(laneHas("\(isFresh) AND o.id > l.low_water\(mayGo)"))
              OR \(laneHas("\(isDue(at: moment))\(mayGo)")) OR \(laneHas("\(isOverdue(at: moment))\(mayGo)"))
            LIMIT 1
            """
    }

    /// The topics of the oldest rows that wait in a lane.
    func waitingTopics(ofLane number: Int) -> SQL {
        let oldest = Self.unsettled.map { stage -> SQL in
            """
            SELECT topic FROM (
              SELECT o.topic FROM \(tables.outbox) o
              WHERE \(lane(of: "o.")) = \(number) AND o.published_at IS NULL AND \(isAt(stage))
              ORDER BY \(support.claimOrder(lane: lane(of: "o."), id: "o.id")) LIMIT 1000
            ) \(raw: "\(stage)")
            """
        }
        return "SELECT DISTINCT topic FROM (\(oldest.joined(separator: " UNION ALL "))) waiting ORDER BY topic"
    }

    /// When those of the newest rows were recorded and published that were published during the last minute.
    ///
    /// The newest rows are found by the primary key, so that this costs the same however many published rows are kept.
    func lastPublished() -> SQL {
        """
        SELECT created_at, published_at FROM (
          SELECT created_at, published_at FROM \(tables.outbox) ORDER BY id DESC LIMIT \(Backlog.publishedLookedAt)
        ) newest
        WHERE \(dialect.comparableTime("published_at"))
          >= \(dialect.comparableTime(support.statementTime(shiftedBy: -60)))
        """
    }

    /// How many rows wait to be published, up to a limit in each lane, and when the oldest was recorded.
    func backlog() -> SQL {
        let lanes = Self.unsettled.map { stage -> SQL in
            let waits: SQL = """
                FROM \(tables.outbox) o
                WHERE \(isOfLane) AND o.published_at IS NULL AND \(isAt(stage)) AND o.id > l.low_water
                """
            return """
                SELECT l.lane,
                  (SELECT count(*) FROM (SELECT 1 \(waits) LIMIT \(Backlog.countedPerLane)) counted) AS pending,
                  (SELECT o.created_at \(waits)
                    ORDER BY \(support.claimOrder(lane: lane(of: "o."), id: "o.id")) LIMIT 1) AS oldest
                FROM \(tables.lanes) l
                """
        }
        let limit = SQL(raw: String(Backlog.countedPerLane))
        return """
            SELECT CAST(sum(CASE WHEN pending > \(limit) THEN \(limit) ELSE pending END) AS bigint), min(oldest) FROM (
              SELECT sum(pending) AS pending, min(oldest) AS oldest
              FROM (\(lanes.joined(separator: " UNION ALL "))) stages GROUP BY lane
            ) lanes
            """
    }

    /// How many rows wait for their next attempt, and how many are parked.
    func failureCounts() -> SQL {
        """
        SELECT count(retry_at), count(*) - count(retry_at) FROM \(tables.outbox)
        WHERE published_at IS NULL AND failed_at IS NOT NULL
        """
    }
}
