import Dionysus
import Synchronization

/// How a batch ended, after waiting for the replica if that was necessary.
enum AppliedBatch: Sendable {
    /// The offset that is stored now.
    case stored(Int64?)
    /// Another member has moved the offset.
    case positionLost
}

/// A worker that has ended by itself.
struct WorkerReport: Sendable {
    enum Reason: Sendable {
        /// Another member has moved the partition's offset.
        case positionLost
        /// `CancellationError`, or what stops the consumer.
        case failed(any Error)
    }

    let partition: TopicPartition
    let reason: Reason
}

/// The workers that have ended by themselves, for the session to deal with.
final class WorkerReports: Sendable {
    private let reports = Mutex<[WorkerReport]>([])

    func add(_ report: WorkerReport) { reports.withLock { $0.append(report) } }

    /// The reports that have not been taken yet.
    func take() -> [WorkerReport] {
        reports.withLock { reports in
            defer { reports = [] }
            return reports
        }
    }
}
