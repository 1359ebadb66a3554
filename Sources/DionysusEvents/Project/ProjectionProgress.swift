import Dionysus

/// What a projection has applied of the global order.
struct ProjectionProgress: Sendable {
    /// The global position up to which it has applied every event.
    var position: Int64
    /// How many events it has not applied; those that are far behind the first are all counted.
    var missing: Int64 = 0
    /// When the first of them was appended.
    var since: Timestamp?

    /// So many events are looked at with one statement.
    private static let step: Int64 = 10_000

    /// Looks for the first event that is not applied.
    /// - Parameters:
    ///   - mark: Where to begin.
    ///   - categories: The categories of the streams that the projection follows; empty for all.
    ///   - last: The global position up to which to look.
    static func find(
        after mark: ProjectionMark,
        _ categories: Set<String>,
        through last: Int64,
        in transaction: inout Transaction
    ) throws -> ProjectionProgress {
        var progress = ProjectionProgress(position: mark.sequence)
        while progress.position < last {
            let end = min(last, progress.position + step)
            let stretch = try EventStretch.load(after: progress.position, through: end, in: &transaction)
            let missing = try transaction.run(missing(mark, categories, among: stretch.condition)).rows
                .map { row in (try row.integer(0).flatMap(stretch.sequence) ?? end, try row.timestamp(1)) }
            guard let first = missing.min(by: { $0.0 < $1.0 }) else {
                progress.position = end
                continue
            }
            progress.position = first.0 - 1
            progress.missing = Int64(missing.count) + last - end
            progress.since = first.1
            return progress
        }
        return progress
    }

    /// Adds the events that have no global position yet.
    mutating func addUnnumbered(
        after mark: ProjectionMark,
        _ categories: Set<String>,
        in transaction: inout Transaction
    ) throws {
        let gaps = try EventGaps.load(in: &transaction)
        let statements = (gaps.late + [gaps.new])
            .map { condition -> SQL in
                "\(Self.missing(mark, categories, among: condition)) ORDER BY e.number LIMIT \(Self.step)"
            }
        for rows in try transaction.run(statements) {
            missing += Int64(rows.count)
            if since == nil { since = try rows.first?.timestamp(1) }
        }
    }

    private static func missing(_ mark: ProjectionMark, _ categories: Set<String>, among condition: SQL) -> SQL {
        let isFollowed: SQL = categories.isEmpty ? "true" : EventStore.isIn(categories, "e.stream")
        return """
            SELECT e.number, e.created_at FROM dionysus_stream_events AS e LEFT JOIN dionysus_stream_positions AS p
              ON p.reader = \(mark.name) AND p.generation = \(mark.generation) AND p.stream = e.stream
            WHERE \(condition) AND e.position > coalesce(p.position, 0) AND \(isFollowed)
            """
    }
}
