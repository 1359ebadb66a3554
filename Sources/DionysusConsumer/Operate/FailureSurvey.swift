package import Dionysus

/// Failures with one cause: the same topic, kind of error and text, but for what differs from message to message.
package struct FailureGroup: Sendable, Hashable {
    /// The full name of their topic.
    package let topic: String
    /// The kind of their errors.
    package let errorClass: String
    /// What their errors say, with `…` for what differs.
    package let cause: String
    /// How many there are of those that were looked at.
    package internal(set) var count: Int
    /// How many messages wait behind them, of those that were looked at.
    package internal(set) var waiting = 0
    /// When the first was recorded.
    package internal(set) var first: Timestamp?
    /// When the last was recorded.
    package internal(set) var last: Timestamp?

    /// What stays the same in errors with one cause: quoted parts, and words with digits, are replaced.
    package static func cause(of message: String) -> String { FailureCause(of: message).text }
}

/// What has failed, at a cost that doesn't grow with it.
package struct FailureSurvey: Sendable {
    /// The groups, the largest first.
    package let groups: [FailureGroup]
    /// How many messages have failed, of those that were looked at.
    package let failed: Int
    /// How many wait behind them, of those that were looked at.
    package let waiting: Int
    /// Whether there are more than were looked at.
    package let hasMore: Bool
    /// When the oldest was recorded.
    package let oldest: Timestamp?
}

extension ConsumerFailures {
    /// Groups failures by their causes, and counts what waits behind each group.
    /// - Parameter limit: How many are looked at, those with the lowest ids.
    /// - Throws: As ``list(_:)``.
    package func survey(limit: Int = 10_000) async throws -> FailureSurvey {
        let (recorded, behind) = try await database.transaction(.snapshot) { [queries] transaction in
            try queries.check(in: &transaction)
            let results = try transaction.run([
                queries.survey(limit: limit + 1), queries.waitingBehindOthers(limit: limit + 1),
            ])
            return (
                try results[0].rows.map { try SurveyedFailures($0) },
                try results[1].rows.map { try SurveyedFailures($0) }
            )
        }
        var groups: [FailureGroup] = []
        var places: [[String]: Int] = [:]
        for row in recorded where !row.isWaiting {
            if let place = places[row.key] {
                groups[place].count += row.count
                groups[place].first = [groups[place].first, row.first].compactMap(\.self).min()
                groups[place].last = [groups[place].last, row.last].compactMap(\.self).max()
            } else {
                places[row.key] = groups.count
                groups.append(FailureGroup(row))
            }
        }
        for row in behind { if let place = places[row.key] { groups[place].waiting += row.count } }
        let failed = groups.reduce(0) { $0 + $1.count }
        let waiting = recorded.reduce(0) { $0 + ($1.isWaiting ? $1.count : 0) }
        return FailureSurvey(
            groups: groups.sorted { ($1.count, $0.topic, $0.cause) < ($0.count, $1.topic, $1.cause) },
            failed: failed,
            waiting: waiting,
            hasMore: failed + waiting > limit,
            oldest: recorded.compactMap(\.first).min()
        )
    }

    /// Lists failures with one cause, in the order in which they were recorded.
    /// - Parameters:
    ///   - filter: Which failures.
    ///   - cause: What their errors say, as ``FailureGroup/cause``; nil for any.
    ///   - lookingAt: How many failures without a recorded cause, which an earlier version wrote, are looked at.
    /// - Returns: The failures, and whether there may be others behind those looked at.
    /// - Throws: As ``list(_:)``.
    package func list(
        _ filter: FailureFilter,
        cause: String?,
        lookingAt: Int = 10_000
    ) async throws -> (failures: [RecordedFailure], isBounded: Bool) {
        guard let cause else {
            let found = try await list(filter)
            return (found, found.count >= filter.limit)
        }
        var unknown = filter
        unknown.limit = lookingAt
        let statements = [queries.list(filter, with: cause), queries.list(unknown, with: nil)]
        let found = try await database.transaction(.snapshot) { [queries] transaction in
            try queries.check(in: &transaction)
            return try transaction.run(statements).map { try $0.rows.map { try RecordedFailure($0) } }
        }
        let matching = found[0] + found[1].filter { FailureCause(of: $0.errorMessage).text == cause }
        return (
            Array(matching.sorted { $0.id < $1.id }.prefix(filter.limit)),
            matching.count >= filter.limit || found[1].count >= lookingAt
        )
    }

    /// The ids of failures with one cause, as ``list(_:cause:lookingAt:)`` finds them.
    /// - Throws: As ``list(_:)``.
    package func ids(_ filter: FailureFilter, cause: String?) async throws -> (ids: [Int64], isBounded: Bool) {
        guard cause == nil else {
            let found = try await list(filter, cause: cause)
            return (found.failures.map(\.id), found.isBounded)
        }
        let ids = try await database.transaction(.snapshot) { [queries] transaction in
            try queries.check(in: &transaction)
            return try transaction.run(queries.ids(filter)).rows.compactMap { try $0.integer(0) }
        }
        return (ids, ids.count >= filter.limit)
    }

    /// The failures that wait behind one, those of its key and partition with later offsets.
    /// - Parameter limit: How many at most.
    /// - Throws: As ``list(_:)``.
    package func waiting(behind failure: RecordedFailure, limit: Int = 50) async throws -> [RecordedFailure] {
        guard let key = failure.key else { return [] }
        return try await database.transaction(.snapshot) { [queries] transaction in
            try queries.check(in: &transaction)
            return try transaction.run(queries.waiting(behind: failure, key: Array(key.utf8), limit: limit)).rows
                .map { try RecordedFailure($0) }
        }
    }
}

extension FailureQueries {
    /// Failures of a key and partition with later offsets.
    fileprivate func waiting(behind failure: RecordedFailure, key: [UInt8], limit: Int) -> SQL {
        """
        SELECT \(RecordedFailure.columns) FROM dionysus_failures f
        WHERE f."group" = \(group) AND f.topic = \(failure.source.topic)
          AND f."partition" = \(Int64(failure.source.partition)) AND f.key_hash = \(FailureLog.hash(of: key))
          AND f."key" = \(DatabaseValue.bytes(key)) AND f."offset" > \(failure.offset) AND f.attempts = 0
        ORDER BY f."offset" LIMIT \(limit)
        """
    }

    /// Failures by topic, kind and cause of their errors, up to a limit, each with what one of them says.
    ///
    /// Those without a recorded cause are grouped by all that they say.
    func survey(limit: Int) -> SQL {
        """
        SELECT topic, error_class,
          (SELECT e.error_message FROM dionysus_failures e WHERE e.id = grouped.example) AS error_message, waits, number,
          oldest, newest
        FROM (
          SELECT topic, error_class, waits, count(*) AS number, min(created_at) AS oldest, max(created_at) AS newest,
            min(id) AS example
          FROM (
            SELECT f.id, f.topic, f.error_class, f.cause_hash, f.created_at,
              CASE WHEN f.cause_hash IS NULL THEN f.error_message END AS unknown,
              CASE WHEN f.attempts = 0 THEN 1 ELSE 0 END AS waits
            FROM dionysus_failures f WHERE f."group" = \(group) ORDER BY f.id LIMIT \(limit)) looked
          GROUP BY topic, error_class, cause_hash, unknown, waits) grouped
        """
    }

    /// How many of the same messages wait behind failures, by what those say; as ``survey(limit:)`` has its rows.
    ///
    /// A key's messages wait behind the first of them, which an index finds: once for each key, however many wait.
    func waitingBehindOthers(limit: Int) -> SQL {
        func first(_ column: SQL) -> SQL {
            "(SELECT e.\(column) FROM dionysus_failures e WHERE e.id = keys.first_id AND e.attempts > 0)"
        }
        return """
            SELECT topic, error_class,
              (SELECT e.error_message FROM dionysus_failures e WHERE e.id = grouped.example) AS error_message, 1, number,
              NULL, NULL
            FROM (
              SELECT topic, error_class, CAST(sum(number) AS bigint) AS number, min(first_id) AS example
              FROM (
                SELECT topic, number, first_id, \(first("error_class")) AS error_class, \(first("cause_hash")) AS cause_hash
                FROM (
                  SELECT topic, number, (
                    SELECT e.id FROM dionysus_failures e
                    WHERE e."group" = \(group) AND e.topic = waiting.topic AND e."partition" = waiting."partition"
                      AND e.key_hash = waiting.key_hash AND e."key" = waiting."key"
                    ORDER BY e."offset" LIMIT 1) AS first_id
                  FROM (
                    SELECT topic, "partition", key_hash, "key", count(*) AS number
                    FROM (
                      SELECT f.topic, f."partition", f.key_hash, f."key", f.attempts
                      FROM dionysus_failures f WHERE f."group" = \(group) ORDER BY f.id LIMIT \(limit)) looked
                    WHERE attempts = 0 AND "key" IS NOT NULL
                    GROUP BY topic, "partition", key_hash, "key") waiting
                  LIMIT \(limit)) keys
                LIMIT \(limit)) found
              WHERE error_class IS NOT NULL
              GROUP BY topic, error_class, cause_hash, CASE WHEN cause_hash IS NULL THEN first_id END) grouped
            """
    }
}

/// Failures that have the same topic and kind, and say the same, as the database groups them.
private struct SurveyedFailures: Sendable {
    let topic: String
    let errorClass: String
    let cause: String
    let isWaiting: Bool
    let count: Int
    let first: Timestamp?
    let last: Timestamp?

    /// What those of one group share.
    var key: [String] { [topic, errorClass, cause] }

    init(_ row: Row) throws {
        topic = try row.text(0) ?? ""
        errorClass = try row.text(1) ?? ""
        cause = FailureCause(of: try row.text(2) ?? "").text
        isWaiting = try row.integer(3) == 1
        count = Int(try row.integer(4) ?? 0)
        first = try row.timestamp(5)
        last = try row.timestamp(6)
    }
}

extension FailureGroup {
    fileprivate init(_ row: SurveyedFailures) {
        self.init(
            topic: row.topic,
            errorClass: row.errorClass,
            cause: row.cause,
            count: row.count,
            first: row.first,
            last: row.last
        )
    }
}
