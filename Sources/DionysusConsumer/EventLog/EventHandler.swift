public import Dionysus

/// What a handler says of an event.
public enum Handling: Sendable, Hashable {
    /// The event was handled.
    case acknowledged
    /// The event is none of the handler's business.
    case skipped
}

/// Handles an event inside the transaction that writes its record and the partition's offset, so that its effect on the
/// database takes place exactly once.
///
/// The transaction may be tried again, so the handler must not have other effects.
public typealias EventHandler = @Sendable (IncomingEvent, inout Transaction) throws -> Handling

/// Events with the handlers of their topic.
struct HandlerWork: Sendable {
    private let handlers: [EventHandler]
    private let events: [IncomingEvent]

    /// - Parameters:
    ///   - messages: The messages that the topic's filters accept.
    ///   - handlers: The topic's handlers.
    init(_ messages: [DecodedMessage] = [], _ handlers: [EventHandler] = []) {
        self.handlers = handlers
        events = handlers.isEmpty ? [] : messages.flatMap(\.incomingEvents)
    }

    /// Calls the handlers with each event, in the order of the partition.
    func run(in transaction: inout Transaction) throws {
        for event in events {
            for handler in handlers { _ = try handler(event, &transaction) }
        }
    }
}

extension ConsumerTopic {
    /// Handles each event that the topic's filters accept, beside the replication of its record, in one transaction
    /// with it.
    ///
    /// The handler is called for every event, also for those that the batch transformation leaves out and that are
    /// older than the record.
    /// - Parameter handler: Called with each event; what it throws is a failure of the event's message.
    /// - Returns: The topic with one more handler.
    public func handling(_ handler: @escaping EventHandler) -> ConsumerTopic {
        var copy = self
        copy.handlers.append(handler)
        return copy
    }
}
