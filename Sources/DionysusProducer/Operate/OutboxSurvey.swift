package import Dionysus

/// A count that stops at a limit.
package struct BoundedCount: Sendable, Hashable {
    /// How many were counted.
    package let value: Int
    /// Whether there are more than that.
    package let hasMore: Bool

    /// Creates a count.
    package init(_ value: Int, hasMore: Bool = false) {
        self.value = value
        self.hasMore = hasMore
    }

    /// Creates a count of up to one more than a limit.
    package init(counted: Int, limit: Int) { self.init(min(counted, limit), hasMore: counted > limit) }

    /// The sum, which has more if one of both has.
    package static func + (left: BoundedCount, right: BoundedCount) -> BoundedCount {
        BoundedCount(left.value + right.value, hasMore: left.hasMore || right.hasMore)
    }
}

/// What waits in an outbox, at a cost that doesn't grow with it.
package struct OutboxSurvey: Sendable {
    /// The rows of a topic in a lane.
    package struct Cell: Sendable, Hashable {
        /// The topic's full name, or `__outbox_observer__`.
        package let topic: String
        /// The lane's number.
        package let lane: Int
        /// Rows that wait to be published for the first time.
        package internal(set) var pending = 0
        /// Rows that wait for their next attempt.
        package internal(set) var retrying = 0
        /// When the oldest of them was recorded.
        package internal(set) var oldest: Timestamp?
    }

    /// Rows that wait to be published for the first time.
    package let pending: BoundedCount
    /// Rows that wait for their next attempt.
    package let retrying: BoundedCount
    /// Rows that have failed for the last time.
    package let parked: BoundedCount
    /// When the oldest row was recorded that is yet to be published; a parked one doesn't count.
    package let oldest: Timestamp?
    /// What was counted, by topic and lane.
    package let cells: [Cell]
    /// How many lanes there are.
    package let lanes: Int
    /// The database's time.
    package let readAt: Timestamp
}

extension OutboxInspector {
    /// Counts what waits, up to a limit in each lane.
    /// - Parameter limit: How many rows of a lane, and how many parked rows, are looked at.
    /// - Throws: ``DionysusError``: `declaration` if there is no outbox, and as for a transaction.
    package func survey(limit: Int = 10_000) async throws -> OutboxSurvey {
        try await database.transaction(.snapshot) { [database] transaction in
            let outbox = try Outbox.open(of: database, in: &transaction)
            let perLane = max(1, limit / max(1, outbox.lanes))
            let statements = [outbox.surveyOfLanes(perLane: perLane), outbox.parkedCount(limit: limit)]
            let results = try transaction.run(statements)
            var cells: [OutboxSurvey.Cell] = []
            var stages: [OutboxStage: BoundedCount] = [.fresh: BoundedCount(0), .retrying: BoundedCount(0)]
            var ranges: [Int: Int] = [:]
            for row in results[0].rows {
                let (lane, stage) = (Int(try row.integer(0) ?? 0), Int(try row.integer(1) ?? 0))
                let (topic, count) = (try row.text(2) ?? "", Int(try row.integer(3) ?? 0))
                ranges[lane * 3 + stage, default: 0] += count
                var cell = OutboxSurvey.Cell(topic: topic, lane: lane)
                let place = cells.firstIndex { $0.topic == topic && $0.lane == lane }
                if let place { cell = cells[place] }
                if stage == OutboxStage.fresh.rawValue { cell.pending += count } else { cell.retrying += count }
                if let oldest = try row.timestamp(4) { cell.oldest = cell.oldest.map { min($0, oldest) } ?? oldest }
                if let place { cells[place] = cell } else { cells.append(cell) }
            }
            for (key, count) in ranges {
                let stage: OutboxStage = key % 3 == OutboxStage.fresh.rawValue ? .fresh : .retrying
                let bounded = BoundedCount(counted: count, limit: perLane)
                stages[stage] = (stages[stage] ?? BoundedCount(0)) + bounded
            }
            return OutboxSurvey(
                pending: stages[.fresh] ?? BoundedCount(0),
                retrying: stages[.retrying] ?? BoundedCount(0),
                parked: BoundedCount(counted: Int(try results[1].first?.integer(0) ?? 0), limit: limit),
                oldest: cells.compactMap(\.oldest).min(),
                cells: cells.sorted { ($0.topic, $0.lane) < ($1.topic, $1.lane) },
                lanes: outbox.lanes,
                readAt: try results[1].first?.timestamp(1) ?? .now
            )
        }
    }

    /// Lists rows that aren't published, of all that match among the first of each lane.
    /// - Parameters:
    ///   - filter: Which rows.
    ///   - lookingAt: How many rows are looked at.
    /// - Returns: The rows, those with the lowest ids first, and whether there may be others behind those looked at.
    /// - Throws: ``DionysusError``: `declaration` if there is no outbox, and as for a transaction.
    package func first(
        _ filter: OutboxFilter,
        lookingAt: Int = 10_000
    ) async throws -> (entries: [OutboxEntry], isBounded: Bool) {
        try await database.transaction(.snapshot) { [database] transaction in
            let outbox = try Outbox.open(of: database, in: &transaction)
            let results = try transaction.run([
                outbox.firstEntries(filter, lookingAt: lookingAt), outbox.isBounded(filter, lookingAt: lookingAt),
            ])
            return (try results[0].rows.map { try OutboxEntry($0) }, try results[1].first?.integer(0) == 1)
        }
    }

    /// Finds what a record has in the outbox, among the newest rows and those that wait.
    /// - Parameters:
    ///   - modelName: The model's name.
    ///   - id: The record's primary key, as it was recorded.
    ///   - lookingAt: How many of the newest rows, and of those that wait, are looked at.
    /// - Returns: Its rows, the newest first.
    /// - Throws: ``DionysusError``: `declaration` if there is no outbox, and as for a transaction.
    package func rows(of modelName: String, id: String, lookingAt: Int = 20_000) async throws -> [OutboxEntry] {
        var filter = OutboxFilter(modelName: modelName, limit: 100)
        filter.recordID = id
        return try await database.transaction(.snapshot) { [database, filter] transaction in
            let outbox = try Outbox.open(of: database, in: &transaction)
            let results = try transaction.run([
                outbox.newestEntries(modelName, id, lookingAt: lookingAt),
                outbox.firstEntries(filter, lookingAt: lookingAt),
            ])
            let found = try results.flatMap { try $0.rows.map { try OutboxEntry($0) } }
            let byID = Dictionary(found.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            return byID.values.sorted { $0.id > $1.id }
        }
    }
}

extension Outbox {
    /// Rows that are yet to be published, counted by lane, stage and topic.
    fileprivate func surveyOfLanes(perLane: Int) -> SQL {
        let parts = ranges.map { lane, stage in
            """
            SELECT \(raw: "\(lane)") AS lane, \(raw: "\(stage.rawValue)") AS stage, topic, count(*) AS number,
              min(created_at) AS oldest
            FROM (\(range(lane, stage, columns: "o.topic, o.created_at", limit: perLane + 1))) counted GROUP BY topic
            """ as SQL
        }
        return "SELECT lane, stage, topic, number, oldest FROM (\(parts.joined(separator: " UNION ALL "))) lanes"
    }

    fileprivate func parkedCount(limit: Int) -> SQL {
        """
        SELECT (SELECT count(*) FROM (
          SELECT 1 FROM \(tables.outbox) o
          WHERE o.published_at IS NULL AND o.failed_at IS NOT NULL AND o.retry_at IS NULL LIMIT \(limit + 1)) parked),
          \(now)
        """
    }

    /// The rows that a filter lets through, of those that are looked at.
    fileprivate func firstEntries(_ filter: OutboxFilter, lookingAt: Int) -> SQL {
        let looked = parts(filter, columns: "o.*", lookingAt: lookingAt).queries
            .map { "SELECT * FROM (\($0)) part" as SQL }
        return """
            SELECT \(entryColumns) FROM (\(looked.joined(separator: " UNION ALL "))) o
            WHERE \(filter.condition) ORDER BY o.id LIMIT \(filter.limit)
            """
    }

    /// Whether there are rows behind those that are looked at.
    fileprivate func isBounded(_ filter: OutboxFilter, lookingAt: Int) -> SQL {
        let (limit, queries) = parts(filter, columns: "o.id", lookingAt: lookingAt)
        let counts = queries.map { "SELECT count(*) AS number FROM (\($0)) part" as SQL }
        return """
            SELECT max(CASE WHEN number >= \(raw: "\(limit)") THEN 1 ELSE 0 END)
            FROM (\(counts.joined(separator: " UNION ALL "))) counted
            """
    }

    /// The newest rows of a record, published ones among them.
    fileprivate func newestEntries(_ modelName: String, _ id: String, lookingAt: Int) -> SQL {
        """
        SELECT \(entryColumns) FROM (SELECT o.* FROM \(tables.outbox) o ORDER BY o.id DESC LIMIT \(lookingAt)) o
        WHERE o.resource_class = \(modelName) AND o.resource_id = \(id) ORDER BY o.id DESC LIMIT 100
        """
    }

    private var ranges: [(lane: Int, stage: OutboxStage)] {
        (0..<lanes).flatMap { lane in Self.unsettled.map { (lane, $0) } }
    }

    /// The first rows of a lane at a stage, in the order of the index.
    ///
    /// Fresh rows begin at the lane's mark: what a busy relay has published since the last vacuum lies before it, and would
    /// have to be passed.
    private func range(_ lane: Int, _ stage: OutboxStage, columns: SQL, limit: Int) -> SQL {
        let begin: SQL = stage == .fresh ? " AND \(isAboveLowWater("o.", lane))" : ""
        return """
            SELECT \(columns) FROM \(tables.outbox) o
            WHERE \(self.lane(of: "o.")) = \(raw: "\(lane)") AND o.published_at IS NULL AND \(isAt(stage))\(begin)
            ORDER BY \(support.claimOrder(lane: self.lane(of: "o."), id: "o.id")) LIMIT \(raw: "\(limit)")
            """
    }

    /// The parts of the outbox in which a filter's rows are, each up to a limit.
    private func parts(_ filter: OutboxFilter, columns: SQL, lookingAt: Int) -> (limit: Int, queries: [SQL]) {
        let fresh = ranges.filter { $0.stage == .fresh }
        let limit = max(1, lookingAt / max(1, fresh.count))
        let waiting = fresh.map { range($0.lane, $0.stage, columns: columns, limit: limit) }
        // Failed rows have an index of their own.
        let failed: SQL = """
            SELECT \(columns) FROM \(tables.outbox) o
            WHERE o.published_at IS NULL AND o.failed_at IS NOT NULL ORDER BY o.id LIMIT \(raw: "\(limit)")
            """
        return switch filter.scope {
        case .failed, .parked, .retrying: (limit, [failed])
        case .pending: (limit, waiting)
        case .unpublished: (limit, waiting + [failed])
        }
    }
}

extension OutboxFilter {
    /// The condition for a row `o` that isn't published.
    fileprivate var condition: SQL {
        var conditions: SQL =
            switch scope {
            case .unpublished: "1 = 1"
            case .pending: "o.failed_at IS NULL AND o.retry_at IS NULL"
            case .retrying: "o.retry_at IS NOT NULL"
            case .failed: "o.failed_at IS NOT NULL"
            case .parked: "o.failed_at IS NOT NULL AND o.retry_at IS NULL"
            }
        if let topic { conditions += " AND o.topic = \(topic)" }
        if let modelName { conditions += " AND o.resource_class = \(modelName)" }
        if let recordID { conditions += " AND o.resource_id = \(recordID)" }
        if let errorClass { conditions += " AND o.error_class = \(errorClass)" }
        if let after { conditions += " AND o.id > \(after)" }
        return conditions
    }
}
