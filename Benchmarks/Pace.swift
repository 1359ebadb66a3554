import Dionysus
import DionysusProducer
import Synchronization

/// The progress of publishing over time.
final class Pace: Sendable {
    private let points = Mutex<[(at: Timestamp, total: Int)]>([])

    func add(_ batch: PublishedBatch) {
        points.withLock { $0.append((batch.acknowledgedAt, ($0.last?.total ?? 0) + batch.changes.count)) }
    }

    /// The seconds until the first of it.
    func secondsToFirst(since start: Timestamp) -> Double {
        points.withLock { Double(($0.first?.at ?? start).microseconds - start.microseconds) / 1e6 }
    }

    /// The milliseconds for a number of changes in a part of the work.
    func time(of changes: Double, from: Double, to: Double) -> Double {
        points.withLock { points in
            let total = Double(points.last?.total ?? 0)
            let first = points.first { Double($0.total) >= total * from }
            let last = points.first { Double($0.total) >= total * to }
            guard let first, let last else { return .nan }
            let time = Double(last.at.microseconds - first.at.microseconds) / 1_000
            return time / Double(last.total - first.total) * changes
        }
    }
}
