/// What becomes of a message that can't be applied: one that is not the wire format, does not fit the replica's
/// columns, breaks a constraint, or makes a handler throw.
///
/// A database or broker that is away is no such failure: it is waited for.
public enum FailedMessagePolicy: Sendable, Hashable {
    /// It is recorded in `dionysus_failures`, and the partition goes on.
    ///
    /// ``ConsumerFailures`` lists, retries and deletes what is recorded.
    case record(laterMessages: LaterMessages)
    /// It is sent to another topic, and the partition goes on.
    /// - Parameters:
    ///   - topic: The full name of the other topic.
    ///   - maxRetries: How often the message is tried again in its place before.
    case deadLetter(topic: String, maxRetries: Int)
    /// It is logged as an error, and the partition goes on.
    case skip
    /// The consumer stops with the error; started again, it begins with the same message.
    case stop
}

/// What becomes of the messages that follow a recorded one in its partition under the same key.
///
/// Messages without a key follow none.
public enum LaterMessages: String, Sendable, Hashable, CaseIterable {
    /// They are applied as usual.
    ///
    /// The default, because a message is a whole snapshot of its record: the next one corrects the replica by itself, and the
    /// failed one, retried late, is found outdated by its version. It is also what the relay does with rows that have
    /// failed for the last time. Without versions, a failed message that is retried late wins over a later one of the same
    /// time; choose ``wait`` there.
    case pass
    /// They are recorded too, untried, and are applied after the failed one, in their order.
    ///
    /// For handlers that have to see every event of a record in order, and for producers whose messages carry no
    /// versions. The record stands still until an operator retries or deletes the failed message.
    case wait
}

extension FailedMessagePolicy {
    /// Whether later messages of a failed message's key wait behind it.
    var holdsKeys: Bool { self == .record(laterMessages: .wait) }

    /// How often a message is tried again in its place, where the topic says so with the choice.
    var maxRetries: Int? { if case .deadLetter(_, let maxRetries) = self { maxRetries } else { nil } }
}
