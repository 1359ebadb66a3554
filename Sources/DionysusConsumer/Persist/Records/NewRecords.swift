import Dionysus
import Synchronization

/// Whether the records that a batch creates are expected to be new.
///
/// Such a batch is inserted without looking its records up first, which saves a query and a round trip. If some of them are
/// there after all, or were destroyed before, the transaction is rolled back and the batch is applied like any other; the
/// replica's next batches are then looked up at once, more of them each time.
final class NewRecords: Sendable {
    /// How many batches of a replica are looked up before the next attempt, and how many of them are left.
    private struct Pause {
        var length: Int
        var left: Int
    }

    private static let lengths = 16...1_024

    private let pauses = Mutex<[String: Pause]>([:])

    /// Whether to try to insert a batch's records.
    func areExpected(in batch: BoundBatch) -> Bool {
        let createsAlone = batch.events.allSatisfy { $0.record.event.change == .created }
        guard createsAlone, batch.layouts.allSatisfy(\.foreignKeys.isEmpty) else { return false }
        return pauses.withLock { pauses in
            let waiting = batch.layouts.map(\.table.name).filter { (pauses[$0]?.left ?? 0) > 0 }
            for table in waiting { pauses[table]?.left -= 1 }
            return waiting.isEmpty
        }
    }

    /// Notes whether a batch's records were new.
    func note(_ batch: BoundBatch, wereNew: Bool) {
        pauses.withLock { pauses in
            for table in batch.layouts.map(\.table.name) {
                let last = pauses[table]?.length ?? 0
                let length = min(max(2 * last, Self.lengths.lowerBound), Self.lengths.upperBound)
                pauses[table] = wereNew ? nil : Pause(length: length, left: length)
            }
        }
    }
}
