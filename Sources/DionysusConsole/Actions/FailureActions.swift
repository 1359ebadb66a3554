import Dionysus
import DionysusConsumer

/// What can be done with messages that failed.
enum FailureAction: String, BulkAction {
    case retry
    case skip
    case delete

    var verb: String {
        switch self {
        case .retry: "Retry"
        case .skip: "Skip"
        case .delete: "Delete"
        }
    }

    /// What will happen, in a sentence.
    var meaning: String {
        switch self {
        case .retry: "They are applied as if they were just read, and what waits behind them after them."
        case .skip: "They are never applied, and what waits behind them is applied now."
        case .delete: "They are never applied. What waits behind them goes on waiting until it is retried."
        }
    }

    var isAskedForOne: Bool { self != .retry }

    func plan(_ ids: [Int64], _ target: String, _ failures: ConsumerFailures, return path: String) -> ActionCenter.Plan
    {
        let batches = Batches(ids, of: 50)
        return ActionCenter.Plan(
            title: "\(verb) \(Format.plural(ids.count, "message"))",
            name: "failures.\(rawValue)",
            target: target,
            matched: ids.count,
            returnPath: path
        ) {
            guard let ids = batches.next() else { return nil }
            switch self {
            case .retry: return try await failures.retry(ids).map(ActionProgress.Result.init)
            case .delete:
                let deleted = try await failures.delete(ids)
                return ids.map { id in
                    let isDone = deleted.contains(id)
                    return .init(
                        subject: "failure \(id)",
                        outcome: isDone ? "deleted" : "no longer there",
                        isDone: isDone
                    )
                }
            case .skip: return try await skip(ids, failures)
            }
        }
    }

    private func skip(_ ids: [Int64], _ failures: ConsumerFailures) async throws -> [ActionProgress.Result] {
        var results: [ActionProgress.Result] = []
        for id in ids {
            let failure = try await failures.failure(id)
            let next =
                if let failure { try await failures.waiting(behind: failure, limit: 1).first } else {
                    nil as RecordedFailure?
                }
            let isDone = !(try await failures.delete([id])).isEmpty
            results.append(
                .init(subject: "failure \(id)", outcome: isDone ? "skipped" : "no longer there", isDone: isDone)
            )
            guard isDone, let next else { continue }
            for result in try await failures.retry([next.id]) where result.outcome == .failed {
                results.append(ActionProgress.Result(result))
            }
        }
        return results
    }

    /// Applies a message with another value.
    static func edit(_ id: Int64, _ value: [UInt8], original: [UInt8]?, _ failures: ConsumerFailures)
        -> ActionCenter.Plan
    {
        let once = Once()
        return ActionCenter.Plan(
            title: "Apply failure \(id) with another value",
            name: "failures.edit",
            target: "failure \(id)",
            matched: 1,
            returnPath: "/failures",
            original: original
        ) {
            guard once.take() else { return nil }
            return [ActionProgress.Result(try await failures.retry(id, with: value))]
        }
    }
}

extension ActionProgress.Result {
    init(_ retry: FailureRetry) {
        subject = "failure \(retry.id)"
        isDone = retry.outcome == .applied
        path = isDone || retry.outcome == .notFound ? nil : "/failures/\(retry.id)"
        outcome =
            switch retry.outcome {
            case .applied where retry.released > 0: "applied, with what waited behind it"
            case .applied: "applied"
            case .failed: "failed again: \(retry.error.map(FailureGroup.cause) ?? "")"
            case .waiting: "waits behind another"
            case .notFound: "no longer there"
            }
    }
}
