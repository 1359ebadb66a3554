import Dionysus

/// The queries about rows that wait, and about those that have been published.
extension Outbox {
    /// A lane with a row that could be published now, if there is any.
    func somePublishable(onFailure: HoldPolicy, without refused: [RecordGroup] = []) -> SQL {
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
