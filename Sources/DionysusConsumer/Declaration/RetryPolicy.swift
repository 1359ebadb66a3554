public import Dionysus

/// How often, and after what pauses, a message that fails is tried again in its place, before its topic's choice.
///
///     Topic("bookings").retrying(.exponential(maxRetries: 5, initial: .seconds(1), maximum: .seconds(30)))
///     Topic("rentals").retrying(RetryPolicy { failure in failure.error.code == .constraint ? .seconds(1) : nil })
///
/// The partition waits meanwhile. What can't be read or does not fit the columns is not tried again, because the next try
/// would find the same.
public struct RetryPolicy: Sendable {
    /// Tries after pauses that double.
    package struct Exponential: Sendable, Hashable {
        package let maxRetries: Int
        package let initial: Duration
        package let maximum: Duration
    }

    private let decide: @Sendable (FailedAttempt) -> Duration?
    /// What it is, if it is no code.
    package private(set) var exponential: Exponential?

    /// Creates a policy.
    /// - Parameter delay: How long to wait before the next try after a failed one, or nil to give up.
    public init(_ delay: @escaping @Sendable (_ failure: FailedAttempt) -> Duration?) { decide = delay }

    /// Tries again a number of times, after pauses that double.
    /// - Parameters:
    ///   - maxRetries: How often a message is tried after its first failure.
    ///   - initial: The first pause.
    ///   - maximum: The longest pause.
    /// - Returns: The policy. Pauses vary between half and all of their length, so that many consumers don't come back at
    ///   once.
    public static func exponential(
        maxRetries: Int,
        initial: Duration = .milliseconds(100),
        maximum: Duration = .seconds(10)
    ) -> RetryPolicy {
        let backoff = Backoff(initial: initial, maximum: maximum)
        var policy = RetryPolicy { failure in
            failure.attempts <= maxRetries ? backoff.delay(afterFailures: failure.attempts) : nil
        }
        policy.exponential = Exponential(maxRetries: maxRetries, initial: initial, maximum: maximum)
        return policy
    }

    /// Never tries again.
    public static var never: RetryPolicy { exponential(maxRetries: 0) }

    func delay(after failure: FailedAttempt) -> Duration? { decide(failure) }
}

/// A try of a message that has failed.
public struct FailedAttempt: Sendable {
    /// The partition of the message.
    public let source: TopicPartition
    /// Its offset.
    public let offset: Int64
    /// What went wrong.
    public let error: DionysusError
    /// How often it has been tried, this time included.
    public let attempts: Int
}

extension ConsumerTopic {
    /// Chooses how a message that fails is tried again in its place.
    ///
    /// By default as the settings say, or as often as the dead-letter queue says.
    public func retrying(_ policy: RetryPolicy) -> ConsumerTopic {
        changing { $0.retryPolicy = policy }
    }
}

extension ConsumerTopic {
    /// The policy in effect: the topic's own, or what its dead-letter queue or the settings say.
    func retryPolicy(_ settings: ConsumerSettings) -> RetryPolicy {
        if let retryPolicy { return retryPolicy }
        if let maxRetries = failurePolicy.maxRetries {
            return .exponential(maxRetries: maxRetries, maximum: settings.maxRetryDelay)
        }
        return settings.retryPolicy ?? .exponential(maxRetries: settings.maxRetries, maximum: settings.maxRetryDelay)
    }
}

extension FailedAttempt {
    /// A try of the only message of a batch.
    init(_ batch: MessageBatch, _ error: DionysusError, _ attempts: Int) {
        self.init(source: batch.partition, offset: batch.next - 1, error: error, attempts: attempts)
    }
}
