public import Dionysus

/// Code around the handling of messages and batches.
///
///     struct Decryption: ConsumerMiddleware {
///         func receive(_ message: ConsumedMessage) async throws -> ConsumedMessage? {
///             var message = message
///             message.value = try message.value.map { try decrypt($0) }
///             return message
///         }
///     }
///
/// A batch is written set-based, so that there is no moment at which one message alone is handled: what concerns single
/// messages is done in ``receive(_:)`` before the batch, and what wraps the work wraps the batch. Each method does
/// nothing by default. Of several the one declared first is the outermost, and those of the consumer are outside those
/// of the topic.
///
/// A message that fails is tried again, and a batch that the database refuses is halved, so every method may see a
/// message more than once.
public protocol ConsumerMiddleware: Sendable {
    /// Looks at a message before it is decoded.
    ///
    /// What a message that fails is kept as, or sent to a dead-letter topic as, is the message that came from the broker.
    /// - Parameter message: The message, as the middleware further out has left it.
    /// - Returns: The message to go on with, or nil to drop it. Changes of its topic, partition and offset are ignored.
    /// - Throws: What fails the message. A ``/Dionysus/DionysusError`` that is retriable is waited for instead.
    func receive(_ message: ConsumedMessage) async throws -> ConsumedMessage?

    /// Wraps the work on messages of one partition: reading, writing, and telling of what has been committed.
    ///
    /// `next` has to be called. When it has thrown, it may be called again, to try once more; when it has returned, the batch
    /// is committed, and calling it again does nothing. What it throws can be looked at, but not be swallowed: the last
    /// call's outcome counts. An error that is thrown before the batch was committed fails it; one that is thrown afterwards
    /// changes nothing, and goes to the error handler.
    /// - Parameters:
    ///   - batch: The messages.
    ///   - next: The work, with the middleware further in around it.
    func handle(_ batch: MessageBatch, _ next: () async throws -> Void) async throws

    /// Begins the transaction that writes a batch, before anything else of it.
    ///
    /// Task-local values need not reach into transactions; this is the place for what has to be set there.
    func begin(_ batch: MessageBatch, in transaction: inout Transaction) throws
}

extension ConsumerMiddleware {
    public func receive(_ message: ConsumedMessage) async throws -> ConsumedMessage? { message }
    public func handle(_ batch: MessageBatch, _ next: () async throws -> Void) async throws { try await next() }
    public func begin(_ batch: MessageBatch, in transaction: inout Transaction) throws {}
}

extension ConsumerTopic {
    /// Wraps the handling of messages and batches.
    ///
    /// Of several the first is the outermost.
    /// - Returns: The topic with the middleware inside what it had before.
    public func middleware(_ middleware: any ConsumerMiddleware...) -> ConsumerTopic {
        changing { $0.middleware += middleware }
    }
}
