import Dionysus

/// Which messages of a batch wait behind earlier ones of their keys that have failed.
///
/// It is an assumption that the transaction of the data examines. Where it was wrong, everything is rolled back and the
/// batch is applied once more with what was found.
struct WaitingMessages: Sendable {
    /// The offsets of those that wait behind messages which are recorded in the database.
    private(set) var behindRecorded: Set<Int64> = []
    /// The offsets of those that wait behind messages of the same batch.
    private(set) var behindOthers: Set<Int64> = []

    var isEmpty: Bool { behindRecorded.isEmpty && behindOthers.isEmpty }

    func contains(_ message: ConsumedMessage) -> Bool {
        behindRecorded.contains(message.offset) || behindOthers.contains(message.offset)
    }

    /// The messages of a batch that wait, as they are recorded.
    func failures(in batch: MessageBatch) -> [FailedMessage] {
        isEmpty ? [] : batch.messages.filter(contains).map { FailedMessage(waiting: $0) }
    }

    /// Compares the assumption with the failures of a batch that were found before the database is asked.
    /// - Returns: What really waits; nil if the assumption was right.
    func corrected(by failures: [FailedMessage], in batch: MessageBatch) -> WaitingMessages? {
        var failed: [[UInt8]: Int64] = [:]
        for failure in failures {
            guard let key = failure.message.key else { continue }
            failed[key] = min(failed[key] ?? .max, failure.message.offset)
        }
        let found = batch.messages.following(failed)
        guard found != behindOthers.intersection(batch.messages.map(\.offset)) else { return nil }
        var corrected = self
        corrected.behindOthers = found
        return corrected
    }

    /// Compares the assumption with what is recorded in the database.
    /// - Parameters:
    ///   - recorded: The lowest offset that is recorded under each key.
    ///   - messages: The messages of the batch.
    /// - Returns: What really waits; nil if the assumption was right.
    func corrected(byRecorded recorded: [[UInt8]: Int64], in messages: [ConsumedMessage]) -> WaitingMessages? {
        let found = messages.following(recorded)
        guard found != behindRecorded.intersection(messages.map(\.offset)) else { return nil }
        var corrected = self
        corrected.behindRecorded = found
        return corrected
    }
}

extension FailedMessage {
    /// A message that has not been tried, because it waits behind another.
    init(waiting message: ConsumedMessage) {
        let error = DionysusError(.waiting, "waits behind an earlier message of its key that failed")
        self.init(message: message, error: DionysusError(in: message, error), attempts: 0)
    }
}

extension DionysusError.Code {
    /// The message was not tried, because an earlier one of its key has failed.
    static let waiting = DionysusError.Code("waiting")
}

extension [ConsumedMessage] {
    /// The offsets of those that follow an offset under their key.
    fileprivate func following(_ offsets: [[UInt8]: Int64]) -> Set<Int64> {
        guard !offsets.isEmpty else { return [] }
        return Set(
            lazy.filter { message in
                guard let key = message.key, let offset = offsets[key] else { return false }
                return offset < message.offset
            }
            .map(\.offset)
        )
    }
}
