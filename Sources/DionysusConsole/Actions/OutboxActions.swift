import Dionysus
import DionysusProducer

/// What can be done with rows of the outbox.
enum OutboxAction: String, BulkAction {
    case retry
    case discard

    var verb: String {
        switch self {
        case .retry: "Retry"
        case .discard: "Discard"
        }
    }

    /// What will happen, in a sentence.
    var meaning: String {
        switch self {
        case .retry:
            "They are due now, as if they had never been tried, and what is published is their records' present state."
        case .discard:
            "They are never published. What they would have said is said by their records' next messages, if there are any."
        }
    }

    var isAskedForOne: Bool { self == .discard }

    func plan(_ ids: [Int64], _ target: String, _ side: ObservedSystem.ProducerSide, actor: String, return path: String)
        -> ActionCenter.Plan
    {
        let inspector = OutboxInspector(database: side.database)
        let batches = Batches(ids, of: 200)
        return ActionCenter.Plan(
            title: "\(verb) \(Format.plural(ids.count, "row"))",
            name: "outbox.\(rawValue)",
            target: target,
            matched: ids.count,
            returnPath: path
        ) {
            guard let ids = batches.next() else { return nil }
            let outcomes =
                switch self {
                case .retry: try await inspector.retry(ids)
                case .discard: try await inspector.discard(ids, reason: "by \(actor)")
                }
            return outcomes.map { id, outcome in
                ActionProgress.Result(
                    subject: "row \(id)",
                    outcome: words(outcome),
                    isDone: outcome == .done,
                    path: "/outbox/\(id)"
                )
            }
        }
    }

    private func words(_ outcome: OutboxInspector.Outcome) -> String {
        switch outcome {
        case .done: self == .retry ? "due now" : "discarded"
        case .notFound: "no longer there"
        case .published: "already published"
        case .notFailed: "not failed"
        }
    }
}
