import Dionysus
import Synchronization

/// Notices when unusually many records that were created or updated aren't there any more: it may be their table, or the
/// database, that the relay looks at.
final class MissingRecords: Sendable {
    private struct Count {
        var seen = 0
        var missing = 0
        var isTold = false
    }

    /// Fewer than this are no sign of anything.
    private static let minimum = 20
    /// What was longer ago than so many rows counts less and less.
    private static let memory = 1_000

    /// Whether records have been missing lately.
    var isCounting: Bool { counts.withLock { !$0.isEmpty } }

    private let counts = Mutex<[String: Count]>([:])

    /// Takes note of how many records of a model were looked for, and not there.
    /// - Returns: How many of how many were not there, when somebody has to be told.
    func note(_ modelName: String, seen: Int, missing: Int) -> (missing: Int, seen: Int)? {
        counts.withLock { counts in
            guard missing > 0 || counts[modelName] != nil else { return nil }
            var count = counts[modelName] ?? Count()
            count.seen += seen
            count.missing += missing
            defer {
                if count.seen > Self.memory {
                    count.seen /= 2
                    count.missing /= 2
                }
                counts[modelName] = count.missing == 0 ? nil : count
            }
            if count.missing * 10 < count.seen { count.isTold = false }
            guard !count.isTold, count.missing >= Self.minimum, count.missing * 2 >= count.seen else { return nil }
            count.isTold = true
            return (count.missing, count.seen)
        }
    }
}
