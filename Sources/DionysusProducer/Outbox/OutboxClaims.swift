import Dionysus

/// The statements that find rows to be published.
extension Outbox {
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
    func laneHas(_ condition: SQL) -> SQL {
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
    func isNot(_ refused: [RecordGroup], alias: String = "o") -> SQL {
        refused.map { " AND NOT \(isOf($0, alias))" as SQL }.joined(separator: "")
    }

    func isOf(_ group: RecordGroup, _ alias: String) -> SQL {
        "(\(raw: alias).resource_class = \(group.modelName) AND \(raw: alias).topic = \(group.topic))"
    }

    /// A row stands behind none of a model that can't be published for now, from `AND` on.
    func isNotBehind(_ refused: [RecordGroup], lane number: Int) -> SQL {
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

    /// Lowers a lane's low-water mark to the first row that is not settled, if the mark has passed one.
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
    var columns: SQL {
        let own = OutboxRow.columns.map { $0 == "changeset" && !hasChangeset ? "NULL" : "o.\($0)" }
        // Anybody may have written it: what is longer than a header may be is ignored.
        let context = OutboxRow.contextColumns.map { hasContext ? "substr(o.\($0), 1, 1024)" : "NULL" }
        return SQL(raw: (own + context).joined(separator: ", "))
    }

    /// The next rows of a lane that have yet to be tried, in their order, without those that wait behind a failed one.
    /// - Parameter refused: Models that can't be published for now.
    func claim(lane number: Int, limit: Int, onFailure: HoldPolicy, without refused: [RecordGroup] = []) -> SQL {
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
    /// It runs after that query: a row that waits behind one that has become due since must not be taken without it.
    func claimDue(lane number: Int, limit: Int, onFailure: HoldPolicy, without refused: [RecordGroup] = []) -> SQL {
        let moment = moment
        // Each of the two reasons has an index of its own.
        let due = [isDue(at: moment), isOverdue(at: moment)]
            .map { isDue -> SQL in
                """
                SELECT * FROM \(tables.outbox) o
                WHERE \(isHeld(lane: number))\(lane(of: "o.")) = \(number) AND o.published_at IS NULL AND \(isDue)
                """
            }
        // Ordered by an expression, so that the planner doesn't walk an index on the id alone.
        return """
            SELECT \(columns), CASE WHEN \(isYoung) THEN 1 ELSE 0 END FROM (\(due.joined(separator: " UNION ALL "))) o
            WHERE o.published_at IS NULL\(mayGo(onFailure, refused, lane: number, at: moment))
            ORDER BY (o.id + 0) LIMIT \(limit)
            """
    }

    /// Whether the transaction has the lane's lock, up to `AND`.
    ///
    /// The lock is taken in the same round trip: a relay that doesn't get it must not read rows for nothing.
    func isHeld(lane number: Int) -> SQL {
        guard !dialect.forUpdate.isEmpty else { return "" }
        return "EXISTS (SELECT 1 FROM \(tables.lanes) WHERE lane = \(number) FOR UPDATE SKIP LOCKED) AND "
    }

    /// Whether a row waits behind no other, from `AND` on.
    func mayGo(_ onFailure: HoldPolicy, _ refused: [RecordGroup], lane number: Int, at moment: SQL) -> SQL {
        let waits = onFailure == .holdPartitionKey ? isNotBehind(refused, lane: number) : ""
        return "\(isNotHeld(onFailure, at: moment))\(isNot(refused))\(waits)"
    }

    /// No earlier row that it waits for has failed and waits for its next attempt.
    ///
    /// These are looked up row by row, however many there are, and not at all if there are none.
    func isNotHeld(_ onFailure: HoldPolicy, at moment: SQL) -> SQL {
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
}
