import Dionysus

extension ConsumerPipeline {
    /// Handles an event of the event log once more, on its own.
    ///
    /// What the log keeps has been through the middleware for single messages already.
    /// - Returns: Whether it was handled; nothing has been changed if a filter leaves it out.
    /// - Throws: Why it can't be applied; nothing has been changed then.
    func replay(_ event: LoggedEvent) async throws -> Bool {
        let batch = MessageBatch(partition: event.source, messages: [event.message])
        let topic = topics[event.source.topic]
        let log = EventLog(group: event.group, identity: topic.eventIdentity ?? .position, reprocessed: event.id)
        var isHandled = false
        try await middleware(of: topic)
            .handle(batch) {
                let decoded = try await decode(batch.messages, of: topic)
                if let failure = decoded.failures.first { throw failure.error }
                let messages = decoded.messages.map { $0.numbered(event.number) }
                isHandled = try await apply(messages, of: batch, log, completing: .nothing)
            }
        return isHandled
    }
}

extension DecodedMessage {
    /// The same message, whose one record has a number of a message with more of them.
    fileprivate func numbered(_ number: Int) -> DecodedMessage {
        var copy = self
        copy.events = events.map { event in
            DecodedEvent(name: event.name, model: event.model, records: event.records.map { $0.numbered(number) })
        }
        return copy
    }
}
