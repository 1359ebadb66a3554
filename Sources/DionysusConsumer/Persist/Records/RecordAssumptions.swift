import Dionysus
import Synchronization

/// What is assumed of the records of a batch before they are looked up.
enum RecordAssumption: Sendable {
    /// They have no row, and no destruction of theirs is remembered.
    case new
    /// The same, and it was so for the replica's last batch: being wrong may be an error, which the database notes in its log.
    case stillNew
    /// They have a row of an earlier version.
    case known
}

/// Which assumptions to act on.
///
/// A batch of which something is assumed is written without looking its records up first, which saves a query or a round
/// trip. If the assumption is wrong, the transaction is rolled back and the batch is applied like any other; the replica's
/// next batches are then looked up at once, more of them each time.
final class RecordAssumptions: Sendable {
    private struct Place: Hashable {
        let table: String
        let isOfKnown: Bool
    }

    /// How many batches of a replica are looked up before the next attempt, and how many of them are left.
    private struct Pause {
        var length: Int
        var left: Int
    }

    private static let lengths = 16...1_024

    private struct State {
        var pauses: [Place: Pause] = [:]
        /// Where the last assumption was right.
        var proven: Set<Place> = []
    }

    private let state = Mutex(State())

    /// What to assume of a batch's records, if anything.
    func assumption(of batch: BoundBatch) -> RecordAssumption? {
        guard let assumption = batch.possibleAssumption else { return nil }
        return state.withLock { state in
            let places = Self.places(of: batch, assumption)
            let waiting = places.filter { (state.pauses[$0]?.left ?? 0) > 0 }
            for place in waiting { state.pauses[place]?.left -= 1 }
            guard waiting.isEmpty else { return nil }
            return assumption == .new && places.allSatisfy(state.proven.contains) ? .stillNew : assumption
        }
    }

    /// Whether an assumption hasn't turned out wrong for another batch since it was made.
    func stands(_ assumption: RecordAssumption, of batch: BoundBatch) -> Bool {
        state.withLock { state in
            Self.places(of: batch, assumption).allSatisfy { (state.pauses[$0]?.left ?? 0) == 0 }
        }
    }

    /// Notes whether what was assumed of a batch's records was right.
    func note(_ assumption: RecordAssumption, of batch: BoundBatch, wasRight: Bool) {
        state.withLock { state in
            for place in Self.places(of: batch, assumption) {
                let last = state.pauses[place]?.length ?? 0
                let length = min(max(2 * last, Self.lengths.lowerBound), Self.lengths.upperBound)
                state.pauses[place] = wasRight ? nil : Pause(length: length, left: length)
                if wasRight { state.proven.insert(place) } else { state.proven.remove(place) }
            }
        }
    }

    private static func places(of batch: BoundBatch, _ assumption: RecordAssumption) -> [Place] {
        batch.layouts.map { Place(table: $0.table.name, isOfKnown: assumption == .known) }
    }
}

extension BoundBatch {
    /// What could be true of all records of the batch, by its events.
    fileprivate var possibleAssumption: RecordAssumption? {
        guard following.isEmpty, let first = events.first?.record.event.change,
            layouts.allSatisfy(\.foreignKeys.isEmpty),
            events.allSatisfy({ $0.record.event.change == first })
        else { return nil }
        return switch first {
        case .created: .new
        case .updated: isOfSingleUpdates ? .known : nil
        default: nil
        }
    }

    /// Whether each event says with a version how one record is now, no two of them are about the same record, and nothing
    /// came along.
    private var isOfSingleUpdates: Bool {
        isOfSingleRecords && layouts.allSatisfy(\.comparesVersions)
            && events.allSatisfy { $0.record.event.recency.version != nil }
    }
}

extension Layout {
    /// Whether the server can tell that what a row says is older.
    fileprivate var comparesVersions: Bool {
        table.version?.type == .integer
            && [table.createdAt, table.updatedAt].allSatisfy { $0 == nil || $0?.type == .timestamp }
    }
}
