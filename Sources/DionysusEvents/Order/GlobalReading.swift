public import Dionysus

extension EventStore {
    /// Reads events of all streams in their global order.
    ///
    /// Only events that have their numbers: ``EventOrdering`` gives them to those that have been appended since.
    /// - Parameters:
    ///   - position: The global position after which to begin; 0 for the beginning.
    ///   - last: The last global position; nil for the end.
    ///   - categories: The categories of the streams; empty for all.
    ///   - isReversed: Whether the highest position comes first.
    ///   - limit: How many events at most.
    ///   - transaction: The caller's transaction.
    /// - Throws: As ``read(_:from:through:reversed:limit:withGlobalPositions:in:)``.
    public func readAll(
        after position: Int64 = 0,
        through last: Int64? = nil,
        categories: Set<String> = [],
        reversed isReversed: Bool = false,
        limit: Int,
        in transaction: inout Transaction
    ) throws -> [RecordedEvent] {
        let end = try transaction.run("SELECT \(EventOrder.last)").first?.integer(0) ?? 0
        var (low, high) = (max(position, 0), min(last ?? end, end))
        var events: [RecordedEvent] = []
        var size = Int64(clamping: max(limit, 1))
        // Of some categories there may be few among many: each part is larger than the one before.
        while low < high, events.count < limit {
            let part = isReversed ? (max(low, high - size), high) : (low, min(high, low + size))
            let found = try readPart(after: part.0, through: part.1, categories: categories, in: &transaction)
            events += isReversed ? found.reversed() : found
            if isReversed { high = part.0 } else { low = part.1 }
            size = min(size * 2, max(size, Self.largestPart))
        }
        return Array(events.prefix(max(limit, 0)))
    }

    private static let largestPart: Int64 = 20_000

    /// Reads events of all streams between two global positions.
    func readPart(
        after position: Int64,
        through last: Int64,
        categories: Set<String>,
        in transaction: inout Transaction
    ) throws -> [RecordedEvent] {
        let stretch = try EventStretch.load(after: position, through: last, in: &transaction)
        var statement: SQL = """
            SELECT \(EventRows.columns) FROM dionysus_stream_events AS e WHERE \(stretch.condition)
            """
        if !categories.isEmpty { statement += " AND \(Self.isIn(categories, "e.stream"))" }
        statement += " ORDER BY e.number"
        return try EventRows.read(statement, types, in: &transaction) { stretch.sequence(of: $0) }
            .inGlobalOrder
    }

    /// A condition that a stream is in one of the categories.
    static func isIn(_ categories: Set<String>, _ stream: SQL) -> SQL {
        let conditions = categories.sorted()
            .map { category -> SQL in
                let prefix = category + "-"
                return
                    "substr(\(stream), 1, \(raw: "\(prefix.unicodeScalars.count)")) = \(prefix) OR \(stream) = \(category)"
            }
        return "(\(conditions.joined(separator: " OR ")))"
    }
}

extension [RecordedEvent] {
    /// The events by their global positions; mostly they have that order already.
    fileprivate var inGlobalOrder: [RecordedEvent] {
        let isOrdered = zip(self, dropFirst()).allSatisfy { ($0.globalPosition ?? 0) < ($1.globalPosition ?? 0) }
        return isOrdered ? self : sorted { ($0.globalPosition ?? 0) < ($1.globalPosition ?? 0) }
    }
}
