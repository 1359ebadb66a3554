import Dionysus

/// Gives messages to the broker, inside the declared middleware, and waits for what becomes of each.
struct MessageSender: Sendable {
    /// What came of sending.
    struct Outcome: Sendable {
        /// One for each message.
        var results: [SendResult]
        /// What a middleware threw after the messages had been sent, which changes nothing.
        var middlewareError: (any Error)?
    }

    let producer: any MessageProducer
    let middleware: [any ProducerMiddleware]

    /// Sends the messages of a lane.
    /// - Throws: What a middleware throws before it has sent them; ``DionysusError`` with code `declaration` if it never
    ///   sends them.
    func send(_ messages: [OutgoingMessage], ofLane lane: Int) async throws -> Outcome {
        guard !middleware.isEmpty, !messages.isEmpty else { return Outcome(results: await sendDirectly(messages)) }
        let sending = Sending(messages, sendDirectly)
        var failure: (any Error)?
        do {
            _ = try await send(sending, PublishingBatch(lane: lane, messages: messages), inside: middleware[...])
        } catch  where sending.isBegun {
            failure = error
        }
        guard sending.isBegun else {
            throw DionysusError(
                .declaration,
                "a middleware of the producer has ended without sending its batch",
                advice: "call next at least once"
            )
        }
        return Outcome(results: sending.results, middlewareError: failure)
    }

    private func send(
        _ sending: Sending,
        _ batch: PublishingBatch,
        inside layers: ArraySlice<any ProducerMiddleware>
    ) async throws -> Int {
        guard let layer = layers.first else { return await sending.attempt() }
        try await layer.publish(batch) { try await send(sending, batch, inside: layers.dropFirst()) }
        return sending.unacknowledged
    }

    /// Messages that the broker refuses with their trace are sent once more without it: it may have made them too large.
    private func sendDirectly(_ messages: [OutgoingMessage]) async -> [SendResult] {
        var results = await producer.send(messages)
        guard results.contains(where: Self.isRejection) else { return results }
        let again = messages.placesToSendAgain(results) { Self.isRejection($0) && $1.hasTrace }
        guard !again.isEmpty else { return results }
        for (place, result) in zip(again, await producer.send(again.map { messages[$0].withoutTrace })) {
            results[place] = result
        }
        return results
    }

    private static func isRejection(_ result: SendResult) -> Bool { result.failure?.code == .messageRejected }
}

extension OutgoingMessage {
    private static let traceHeaders = [HeaderName.traceParent, HeaderName.traceState]
        .flatMap { [$0, CloudEvent.headerPrefix + $0] }

    fileprivate var hasTrace: Bool { headers.contains { Self.traceHeaders.contains($0.name) } }

    fileprivate var withoutTrace: OutgoingMessage {
        var message = self
        message.headers.removeAll { Self.traceHeaders.contains($0.name) }
        return message
    }
}
