import Dionysus

/// The statements on the outbox.
///
/// They are the same on every database, but for what ``OutboxSupport`` gives.
struct Outbox: Sendable {
    let support: any OutboxSupport
    let dialect: any SQLDialect
    let lanes: Int
    /// Whether the table has the columns that dionysus-rb's lacks.
    let hasContext: Bool
    /// Whether the table has changesets: dionysus-rb's has, where its application observes anything.
    let hasChangeset: Bool
    /// How old a row must be to be published.
    var publishingDelay = Duration.zero

    /// Reads what the outbox of a database is like.
    /// - Throws: ``DionysusError`` with code `declaration` if there is none.
    static func open(of database: any CapturingDatabase, in transaction: inout Transaction) throws -> Outbox {
        guard let table = try transaction.describe(table: "dionysus_outboxes"),
            try transaction.describe(table: "dionysus_lanes") != nil
        else {
            throw DionysusError(.declaration, "there is no outbox in the database", advice: "run migrate first")
        }
        return Outbox(
            support: database.outbox,
            dialect: database.dialect,
            lanes: try OutboxSchema.lanes(in: &transaction),
            hasContext: OutboxRow.contextColumns.allSatisfy { table.column($0) != nil },
            hasChangeset: table.column("changeset") != nil
        )
    }

    var now: SQL { support.time(shiftedBy: 0) }

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

    /// Whether a row's time has come.
    /// - Parameter moment: One moment for the whole statement: a row that becomes due while rows are looked at must not
    ///   come after those that wait behind it.
    private func isDue(at moment: SQL) -> SQL {
        "(o.retry_at IS NULL OR o.retry_at <= \(moment)) AND \(Self.isNotParked)"
    }

    private var moment: SQL { support.statementTime(shiftedBy: 0) }

    /// Whether a row is left alone for now.
    private var isYoung: SQL {
        guard publishingDelay > .zero else { return "(1 = 0)" }
        return "(o.created_at > \(support.statementTime(shiftedBy: -(publishingDelay / .seconds(1)))))"
    }

    // MARK: Claiming

    /// The lanes that have rows to be published now.
    func pendingLanes() -> SQL {
        """
        SELECT l.lane FROM dionysus_lanes l WHERE (
          SELECT 1 FROM dionysus_outboxes o
          WHERE \(isOfLane) AND o.published_at IS NULL AND o.id > l.low_water AND \(isDue(at: moment))
            AND NOT \(isYoung)
          LIMIT 1
        ) = 1
        """
    }

    /// The lanes, models and topics of pending rows above an id.
    func pending(after id: Int64) -> SQL {
        """
        SELECT DISTINCT \(lane(of: "o.")), o.resource_class, o.topic FROM dionysus_outboxes o
        WHERE o.id > \(id) AND o.published_at IS NULL
        """
    }

    /// The lock of a lane.
    func lock(ofLane lane: Int) -> LeasedResource {
        LeasedResource(
            name: "lane-\(lane)",
            lockingQuery: "SELECT lane FROM dionysus_lanes WHERE lane = \(lane) FOR UPDATE SKIP LOCKED"
        )
    }

    private func isAboveLowWater(_ alias: String, _ lane: Int) -> SQL {
        "\(raw: alias)id > (SELECT low_water FROM dionysus_lanes WHERE lane = \(lane))"
    }

    /// Lowers a lane's low-water mark to the first row that is not settled, should one have been passed.
    func sweep(lane number: Int) -> SQL {
        """
        UPDATE dionysus_lanes SET low_water = (
          SELECT min(o.id) - 1 FROM dionysus_outboxes o
          WHERE \(lane(of: "o.")) = \(number) AND o.published_at IS NULL AND \(Self.isNotParked)
        )
        WHERE lane = \(number) AND EXISTS (
          SELECT 1 FROM dionysus_outboxes o
          WHERE \(lane(of: "o.")) = \(number) AND o.published_at IS NULL AND \(Self.isNotParked)
            AND o.id <= dionysus_lanes.low_water
        )
        """
    }

    /// What ``OutboxRow/init(_:)`` reads.
    private var columns: SQL {
        let own = OutboxRow.columns.map { $0 == "changeset" && !hasChangeset ? "NULL" : "o.\($0)" }
        let context = OutboxRow.contextColumns.map { hasContext ? "o.\($0)" : "NULL" }
        return SQL(raw: (own + context).joined(separator: ", "))
    }

    /// The next rows of a lane, in their order, without those that wait behind a failed one.
    func claim(lane number: Int, limit: Int, onFailure: FailurePolicy) -> SQL {
        let moment = moment
        return """
            SELECT \(columns), CASE WHEN \(isYoung) THEN 1 ELSE 0 END FROM dionysus_outboxes o
            WHERE \(lane(of: "o.")) = \(number) AND o.published_at IS NULL AND \(isAboveLowWater("o.", number))
              AND \(isDue(at: moment))\(isNotHeld(onFailure, at: moment))
            ORDER BY \(support.claimOrder(lane: lane(of: "o."), id: "o.id")) LIMIT \(limit)
            """
    }

    /// No earlier row that it waits for has failed and waits for its next attempt.
    private func isNotHeld(_ onFailure: FailurePolicy, at moment: SQL) -> SQL {
        let waitsForIt: SQL
        switch onFailure {
        case .pass: return ""
        case .holdRecord:
            waitsForIt = "h.resource_class = o.resource_class AND h.resource_id = o.resource_id AND h.topic = o.topic"
        case .holdPartitionKey: waitsForIt = "\(raw: Self.laneText(of: "h.")) = \(raw: Self.laneText(of: "o."))"
        }
        return """
             AND NOT EXISTS (SELECT 1 FROM dionysus_outboxes h
              WHERE h.published_at IS NULL AND h.retry_at IS NOT NULL AND h.retry_at > \(moment) AND h.id < o.id
              AND \(waitsForIt))
            """
    }

    /// Those of a lane's rows whose record has moved here while earlier rows of it still wait in another lane.
    func waitingForAnotherLane(_ rows: [OutboxRow], lane number: Int) -> SQL {
        let columns = [
            BulkColumn("id", .integer, rows.map { .integer($0.id) }),
            BulkColumn("topic", .text, rows.map { .text($0.topic) }),
            BulkColumn("resource_class", .text, rows.map { .text($0.resourceClass) }),
            BulkColumn("resource_id", .text, rows.map { .text($0.resourceID) }),
        ]
        return """
            SELECT DISTINCT m.id FROM \(dialect.rows(columns, alias: "m")) JOIN dionysus_outboxes o
              ON o.resource_id = m.resource_id AND o.resource_class = m.resource_class AND o.topic = m.topic
              AND o.id < m.id
            WHERE o.published_at IS NULL AND \(lane(of: "o.")) <> \(number) AND \(Self.isNotParked)
            """
    }

    /// Whether a row has one of some ids.
    func isAny(_ ids: [Int64], alias: String = "") -> SQL {
        dialect.isAnyKey("\(raw: alias)id", of: ids.map { .integer($0) }, type: .integer)
    }

    // MARK: Settling

    /// Marks rows as published, or deletes them.
    func settle(_ ids: [Int64], deleting: Bool) -> SQL {
        if deleting { return "DELETE FROM dionysus_outboxes WHERE \(isAny(ids))" }
        return "UPDATE dionysus_outboxes SET published_at = \(now), updated_at = \(now) WHERE \(isAny(ids))"
    }

    /// Settles rows that are still to be published, so that the number of changed rows tells whether all of them were.
    func take(_ ids: [Int64], deleting: Bool) -> SQL {
        "\(settle(ids, deleting: deleting)) AND published_at IS NULL"
    }

    /// Marks rows as published although no message of their own was sent, and says why.
    func settle(_ ids: [Int64], note: String) -> SQL {
        """
        UPDATE dionysus_outboxes SET published_at = \(now), updated_at = \(now), error_message = \(note)
        WHERE \(isAny(ids))
        """
    }

    /// Notes that a row failed: it is tried again after the delay, or parked without one.
    /// - Parameters:
    ///   - row: The row.
    ///   - error: Why it failed.
    ///   - attempts: How often it has been tried, this time included if it counts.
    ///   - seconds: The delay, or nil to park it.
    func fail(_ row: OutboxRow, _ error: DionysusError, attempts: Int64, retryAfter seconds: Double?) -> SQL {
        let retryAt: SQL = seconds.map { support.time(shiftedBy: $0) } ?? "NULL"
        return """
            UPDATE dionysus_outboxes SET failed_at = \(now), updated_at = \(now), attempts = \(attempts),
              error_class = \(error.code.description), error_message = \(error.description), retry_at = \(retryAt)
            WHERE id = \(row.id)
            """
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
            INSERT INTO dionysus_outboxes
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
    func somePublishable(onFailure: FailurePolicy) -> SQL {
        let moment = moment
        return """
            SELECT l.lane FROM dionysus_lanes l WHERE (
              SELECT 1 FROM dionysus_outboxes o
              WHERE \(isOfLane) AND o.published_at IS NULL AND o.id > l.low_water
                AND \(isDue(at: moment))\(isNotHeld(onFailure, at: moment))
              LIMIT 1
            ) = 1 LIMIT 1
            """
    }

    /// How many rows wait to be published, up to a limit in each lane, and when the oldest was recorded.
    func backlog() -> SQL {
        let waits: SQL =
            """
            FROM dionysus_outboxes o
            WHERE \(isOfLane) AND o.published_at IS NULL AND o.id > l.low_water AND \(Self.isNotParked)
            """
        return """
            SELECT CAST(sum(pending) AS bigint), min(oldest) FROM (
              SELECT (SELECT count(*) FROM (SELECT 1 \(waits) LIMIT \(Backlog.countedPerLane)) counted) AS pending,
                (SELECT o.created_at \(waits)
                  ORDER BY \(support.claimOrder(lane: lane(of: "o."), id: "o.id")) LIMIT 1) AS oldest
              FROM dionysus_lanes l
            ) lanes
            """
    }

    /// How many rows wait for their next attempt, and how many are parked.
    func failureCounts() -> SQL {
        """
        SELECT count(retry_at), count(*) - count(retry_at) FROM dionysus_outboxes
        WHERE published_at IS NULL AND failed_at IS NOT NULL
        """
    }
}
