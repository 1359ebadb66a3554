import Dionysus

/// The events that a transaction has applied, in their order.
///
/// What most of them changed is worked out when it is asked for: after the commit, so that the database needn't wait for it.
struct AppliedEvents: Sendable {
    private enum Part: Sendable {
        case decided([AppliedEvent])
        /// All events that made new rows.
        case new(NewRows)
        /// All events of a batch, with the rows that their records had.
        case all(of: BoundBatch, rows: [ResultSet])
    }

    private var parts: [Part]

    /// No events.
    init() { parts = [] }

    init(_ events: [AppliedEvent]) { parts = [.decided(events)] }

    /// All events that made new rows.
    init(allOf rows: NewRows) { parts = [.new(rows)] }

    /// All events of a batch.
    /// - Parameter rows: The rows that the records of each replica had.
    init(allOf batch: BoundBatch, rows: [ResultSet]) { parts = [.all(of: batch, rows: rows)] }

    /// How many they are.
    var count: Int {
        parts.reduce(0) { count, part in
            switch part {
            case .decided(let events): count + events.count
            case .new(let rows): count + rows.count
            case .all(let batch, _): count + batch.events.count
            }
        }
    }

    /// The events, with what they changed.
    func withChanges() -> [AppliedEvent] {
        parts.flatMap { part in
            switch part {
            case .decided(let events): return events
            case .new(let rows): return rows.applied()
            case .all(let batch, let rows):
                var set = WorkingSet(batch, rows: rows[...])
                return set.apply(batch.events)
            }
        }
    }

    static func += (events: inout AppliedEvents, more: AppliedEvents) { events.parts += more.parts }
}
