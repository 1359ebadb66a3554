import Dionysus

/// A topic's middleware, from the outside in.
struct MiddlewareChain: Sendable {
    let middleware: [any ConsumerMiddleware]
    let retry: RetryLoop
    let errorHandler: any ErrorHandler

    var isEmpty: Bool { middleware.isEmpty }

    /// Hands messages through all middleware.
    /// - Returns: The messages to go on with, in their order, without those that were dropped.
    /// - Throws: ``DionysusError`` for the first message that fails; `CancellationError` when the service is to stop.
    func receive(_ messages: [ConsumedMessage]) async throws -> [ConsumedMessage] {
        guard !middleware.isEmpty else { return messages }
        var received: [ConsumedMessage] = []
        received.reserveCapacity(messages.count)
        for message in messages {
            if let message = try await receive(message) { received.append(message) }
        }
        return received
    }

    private func receive(_ message: ConsumedMessage) async throws -> ConsumedMessage? {
        var current = message
        for layer in middleware {
            let given = current
            let next = try await retry.run("middleware of \(message.source)") {
                try await failingMessages("a middleware failed on a message") { try await layer.receive(given) }
            }
            guard let next else { return nil }
            current = next
            // A message takes effect once by its place, so the place must not change.
            current.source = message.source
            current.offset = message.offset
        }
        return current
    }

    /// Does work on a batch inside all middleware.
    /// - Parameter work: The work, which gets this chain.
    /// - Throws: What the work throws; ``DionysusError`` when a middleware fails before the work is done.
    func around<T: Sendable>(
        _ batch: MessageBatch,
        _ work: (MiddlewareChain) async throws -> Verdict<T>
    ) async throws -> Verdict<T> {
        guard !middleware.isEmpty else { return try await work(self) }
        return try await retry.run("middleware of \(batch.partition)") {
            let name = "a middleware of \(batch.partition.topic)"
            return try await WrappedWork(by: name, errorHandler, context(of: batch), mayRepeat: true)
                .run {
                    try await work(self)
                } inside: { next in
                    try await wrap(batch, middleware[...], next)
                }
        }
    }

    private func wrap(
        _ batch: MessageBatch,
        _ layers: ArraySlice<any ConsumerMiddleware>,
        _ work: () async throws -> Void
    ) async throws {
        guard let layer = layers.first else { return try await work() }
        try await layer.handle(batch) { try await wrap(batch, layers.dropFirst(), work) }
    }

    private func context(of batch: MessageBatch) -> ErrorContext {
        ErrorContext(
            "end the middleware around a batch, which has been committed",
            topic: batch.partition.topic,
            partition: batch.partition.partition,
            offset: batch.messages.first?.offset
        )
    }
}
