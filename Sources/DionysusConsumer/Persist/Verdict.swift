import Dionysus

/// How work in one transaction ended.
enum Verdict<Value> {
    /// It is done.
    case done(Value)
    /// It is not to be done now, and nothing has been changed.
    case refused(Refusal)
}

extension Verdict: Sendable where Value: Sendable {}

/// Why messages are not to be applied now.
enum Refusal: Sendable {
    /// Another member has moved the offset, so that the messages are no longer this one's to apply.
    case positionLost(TopicPartition)
    /// Other messages wait for failed ones than was assumed: these.
    case otherMessagesWait(WaitingMessages)
    /// The failure that holds the message is no longer there.
    case failureGone
    /// The failure waits behind another one of its key.
    case failureWaits(behind: Int64)
}

extension Refusal {
    /// The refusal as an error, for code of the application around the work.
    var error: DionysusError {
        switch self {
        case .positionLost(let partition):
            DionysusError(.conflict, "another member has moved the offset of \(partition), so nothing was written")
        case .otherMessagesWait:
            DionysusError(.conflict, "other messages wait for failed ones than was assumed, so nothing was written")
        case .failureGone: DionysusError(.notFound, "the failure has been applied or deleted already")
        case .failureWaits(let other): DionysusError(.waiting, "the failure waits behind the failure \(other)")
        }
    }
}

/// How a transaction ends whose body decides that itself.
enum TransactionEnd<Value> {
    case commit(Value)
    case rollBack(Value)
}

extension Database {
    /// Runs a transaction that writes, and rolls it back if its body says so.
    /// - Returns: What the body says.
    func write<Value: Sendable>(
        _ body: @escaping @Sendable (inout Transaction) throws -> TransactionEnd<Value>
    ) async throws -> Value {
        do {
            return try await transaction(.write) { transaction in
                switch try body(&transaction) {
                case .commit(let value): return value
                case .rollBack(let value): throw RolledBack(value: value)
                }
            }
        } catch let end as RolledBack<Value> {
            return end.value
        }
    }
}

/// A database rolls a transaction back when an error comes out of it, and only then.
private struct RolledBack<Value: Sendable>: Error {
    let value: Value
}
