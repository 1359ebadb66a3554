/// What becomes of a message that can't be applied: one that is not the wire format, does not fit the replica's
/// columns, or breaks a constraint.
///
/// A database or broker that is away is no such failure: it is waited for.
public enum FailurePolicy: Sendable, Hashable {
    /// It is recorded in `dionysus_failures`, and the partition goes on.
    case record
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
