import Dionysus

/// Rows of a batch that are loaded and sent together, and what has become of them.
struct MessageSlice: Sendable {
    var rows: [OutboxRow] = []
    var messages: [OutgoingMessage] = []
    /// One for each row.
    var verdicts: [Composer.Verdict] = []
    /// One for each message.
    var results: [SendResult] = []
}

/// What has become of the rows of a batch.
struct SentRows: Sendable {
    /// One for each row.
    var verdicts: [Composer.Verdict] = []
    /// One for each message.
    var results: [SendResult] = []
    /// The last slice, which is announced once its rows are settled.
    var last = MessageSlice()

    /// The rows whose messages were handed to the broker: also one that was refused may have arrived.
    /// - Parameter rows: The batch's.
    func rows(of rows: [OutboxRow]) -> [OutboxRow] {
        zip(rows, verdicts).compactMap { row, verdict in if case .send = verdict { row } else { nil } }
    }

    mutating func append(_ slice: MessageSlice) {
        let first = results.count
        verdicts += slice.verdicts.map { $0.shifted(by: first) }
        results += slice.results
        last = slice
    }
}

extension Composer.Held {
    /// Makes later rows wait behind those whose messages have failed, as if that had been known before.
    mutating func hold(failuresOf slice: MessageSlice, _ policy: HoldPolicy) {
        for (row, verdict) in zip(slice.rows, slice.verdicts) {
            guard case .send(let places, _) = verdict, slice.results[places].contains(where: \.isFailure) else {
                continue
            }
            hold(row, policy)
        }
    }
}
