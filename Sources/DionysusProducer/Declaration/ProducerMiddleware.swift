public import Dionysus

/// Code around the publishing of batches.
///
///     struct Patient: ProducerMiddleware {
///         func publish(_ batch: PublishingBatch, _ next: () async throws -> Int) async throws {
///             for _ in 1...3 where try await next() == 0 { return }
///         }
///     }
///
/// It runs while the relay holds the batch's lane, whose lock ends with ``ProducerSettings/leaseTimeout``, so it should return
/// soon. Of several the one declared first is the outermost.
public protocol ProducerMiddleware: Sendable {
    /// Wraps giving the messages of a batch to the broker and waiting for what becomes of them.
    ///
    /// `next` has to be called, and can be called again: then it sends again what the broker has not acknowledged, but for
    /// messages of records of which a later message has arrived. What is left unacknowledged in the end fails as it would
    /// without middleware.
    ///
    /// An error that is thrown before `next` was called fails the batch, which is tried again as a whole. One that is
    /// thrown afterwards changes nothing, and goes to the error handler.
    /// - Parameters:
    ///   - batch: The messages.
    ///   - next: Sends them, with the middleware further in around it; returns how many the broker has not acknowledged.
    func publish(_ batch: PublishingBatch, _ next: () async throws -> Int) async throws
}

/// Messages of one lane that are given to the broker together.
public struct PublishingBatch: Sendable {
    /// The lane of the outbox.
    public let lane: Int
    /// The messages, in the order in which they are sent.
    ///
    /// A row of the outbox has several if its topic has a genesis replica.
    public let messages: [OutgoingMessage]
}
