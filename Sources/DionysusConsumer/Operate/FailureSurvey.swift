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
    /// When the first was recorded.
    package internal(set) var first: Timestamp?
    /// When the last was recorded.
    package internal(set) var last: Timestamp?

    /// What stays the same in errors with one cause: quoted parts, numbers and ids are replaced.
    package static func cause(of message: String) -> String {
        // Each begins with the place of its message.
        let place = message.prefixMatch(of: #/\S+\[[0-9]+\] offset [0-9]+: /#)?.range
        let text = place.map { message[$0.upperBound...] } ?? message[...]
        var result = ""
        var characters = text.makeIterator()
        var quote: Character?
        var word = ""
        func flush() {
            result += word.contains(where: \.isNumber) ? "…" : word
            word = ""
        }
        while let character = characters.next() {
            if let open = quote {
                if character == open {
                    result += "…\(open)"
                    quote = nil
                }
            } else if character == "'" && word.isEmpty || character == "\"" {
                flush()
                result.append(character)
                quote = character
            } else if character.isLetter || character.isNumber || character == "_" || character == "-" {
                word.append(character)
            } else {
                flush()
                result.append(character)
            }
        }
        flush()
        return quote == nil ? result : result + "…"
    }
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
    /// Groups failures by their causes.
    /// - Parameter limit: How many are looked at, those with the lowest ids.
    /// - Throws: As ``list(_:)``.
    package func survey(limit: Int = 10_000) async throws -> FailureSurvey {
        let rows = try await database.transaction(.snapshot) { [queries] transaction in
            try queries.check(in: &transaction)
            return try transaction.run(queries.survey(limit: limit + 1)).rows
                .map { row in
                    (
                        topic: try row.text(0) ?? "", errorClass: try row.text(1) ?? "", message: try row.text(2) ?? "",
                        isWaiting: try row.integer(3) == 1, count: Int(try row.integer(4) ?? 0),
                        first: try row.timestamp(5), last: try row.timestamp(6)
                    )
                }
        }
        var groups: [FailureGroup] = []
        var places: [[String]: Int] = [:]
        var (failed, waiting) = (0, 0)
        for row in rows {
            if row.isWaiting {
                waiting += row.count
                continue
            }
            failed += row.count
            let cause = FailureGroup.cause(of: row.message)
            let key = [row.topic, row.errorClass, cause]
            if let place = places[key] {
                groups[place].count += row.count
                groups[place].first = [groups[place].first, row.first].compactMap(\.self).min()
                groups[place].last = [groups[place].last, row.last].compactMap(\.self).max()
            } else {
                places[key] = groups.count
                groups.append(
                    FailureGroup(
                        topic: row.topic,
                        errorClass: row.errorClass,
                        cause: cause,
                        count: row.count,
                        first: row.first,
                        last: row.last
                    )
                )
            }
        }
        return FailureSurvey(
            groups: groups.sorted { ($1.count, $0.topic, $0.cause) < ($0.count, $1.topic, $1.cause) },
            failed: failed,
            waiting: waiting,
            hasMore: failed + waiting > limit,
            oldest: rows.compactMap(\.first).min()
        )
    }

    /// Lists failures with one cause, in the order in which they were recorded.
    /// - Parameters:
    ///   - filter: Which failures.
    ///   - cause: What their errors say, as ``FailureGroup/cause``; nil for any.
    ///   - lookingAt: How many failures that match the filter are looked at.
    /// - Returns: The failures, and whether there may be others behind those looked at.
    /// - Throws: As ``list(_:)``.
    package func list(
        _ filter: FailureFilter,
        cause: String?,
        lookingAt: Int = 10_000
    ) async throws -> (failures: [RecordedFailure], isBounded: Bool) {
        var looked = filter
        // What is constant in a text can't be asked of the database.
        looked.limit = cause == nil ? filter.limit : lookingAt
        let found = try await list(looked)
        guard let cause else { return (found, found.count >= filter.limit) }
        let matching = found.filter { FailureGroup.cause(of: $0.errorMessage) == cause }
        return (Array(matching.prefix(filter.limit)), found.count >= lookingAt || matching.count > filter.limit)
    }

    /// The failures that wait behind one, those of its key and partition with later offsets.
    /// - Parameter limit: How many at most.
    /// - Throws: As ``list(_:)``.
    package func waiting(behind failure: RecordedFailure, limit: Int = 50) async throws -> [RecordedFailure] {
        guard let key = failure.key else { return [] }
        let filter = FailureFilter(state: .waiting, topic: failure.source.topic, key: key, limit: limit)
        return try await list(filter).filter { $0.source == failure.source && $0.offset > failure.offset }
    }
}

extension FailureQueries {
    /// Failures by topic, kind and text of their errors, up to a limit.
    fileprivate func survey(limit: Int) -> SQL {
        """
        SELECT topic, error_class, error_message, waits, count(*), min(created_at), max(created_at) FROM (
          SELECT f.topic, f.error_class, f.error_message, f.created_at,
            CASE WHEN f.attempts = 0 THEN 1 ELSE 0 END AS waits
          FROM dionysus_failures f WHERE f."group" = \(group) ORDER BY f.id LIMIT \(limit)) looked
        GROUP BY topic, error_class, error_message, waits
        """
    }
}
