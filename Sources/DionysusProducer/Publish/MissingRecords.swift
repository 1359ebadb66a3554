import Dionysus
import Synchronization

/// Notices when unusually many records that were created or updated don't exist any more: the relay may be
/// looking at the wrong table or database.
final class MissingRecords: Sendable {
    private struct Count {
        var seen = 0
        var missing = 0
        var isReported = false
    }

    /// Fewer than this mean nothing.
    private static let minimum = 20
    /// Rows before the last so many count less and less.
    private static let memory = 1_000

    /// Whether records have been missing lately.
    var isCounting: Bool { counts.withLock { !$0.isEmpty } }

    private let counts = Mutex<[String: Count]>([:])

    /// Notes how many records of a model were looked up, and how many were missing.
    /// - Returns: How many of how many were missing, when that deserves a warning.
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
            if count.missing * 10 < count.seen { count.isReported = false }
            guard !count.isReported, count.missing >= Self.minimum, count.missing * 2 >= count.seen else { return nil }
            count.isReported = true
            return (count.missing, count.seen)
        }
    }
}
