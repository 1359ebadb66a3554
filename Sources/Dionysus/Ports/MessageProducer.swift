/// Sends messages.
public protocol MessageProducer: Sendable {
    /// The problem that prevents sending: the broker is unreachable or rejects the client. Nil if there is no known
    /// problem, or if the adapter can't detect problems.
    ///
    /// It is updated even while nothing is sent, and becomes nil once the broker has answered.
    var outage: DionysusError? { get }

    /// Sends a batch and waits until the broker has acknowledged or refused each message.
    ///
    /// Messages of one partition are written in the order of the batch. A message that exceeds the broker's limit is
    /// refused before it is queued. If the queue is full, the call waits.
    /// - Returns: A result per message, in the order of the batch. A failure is `messageRejected` (not retriable),
    ///   `unknownTopic` or `topicDenied` (for all messages of the topic), `accessDenied` (for all messages), or
    ///   `brokerUnavailable` (retriable).
    func send(_ messages: [OutgoingMessage]) async -> [Result<Acknowledgement, DionysusError>]

    /// Drops messages passed to ``send(_:)`` that have not been sent to the broker yet; their results say so.
    func purge()

    /// Waits for messages in flight, at most until the deadline, then closes.
    /// - Parameter deadline: The maximum wait.
    func close(deadline: Duration) async
}

extension MessageProducer {
    public var outage: DionysusError? { nil }
}
