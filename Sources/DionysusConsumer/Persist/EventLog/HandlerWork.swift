import Dionysus

/// What is done with the events of a batch beside replication, in the transaction of their data.
struct HandlerWork: Sendable {
    /// The events that no filter has left out and that have not failed.
    private let events: [IncomingEvent]
    private let handlers: [EventHandler]
    /// The messages that are no model's.
    private let messages: [ReceivedMessage<JSON>]
    private let messageHandlers: [MessageHandler]
    private let log: EventLog?
    private let batch: MessageBatch?
    private let middleware: [any ConsumerMiddleware]
    private let lock: RecordLock?
    /// What has become of the events, if somebody wants to hear of it.
    let notes: CheckpointNotes?

    /// The work on messages that are not applied: none.
    init() {
        events = []
        handlers = []
        messages = []
        messageHandlers = []
        log = nil
        batch = nil
        middleware = []
        lock = nil
        notes = nil
    }

    /// - Parameters:
    ///   - messages: The messages that the topic's filters accept.
    ///   - plain: What the batch transformation has left of them.
    ///   - failures: Those of them that have failed.
    ///   - bound: What of them is replicated.
    ///   - batch: The messages as they came from the broker.
    ///   - log: The log of events, if the topic has one.
    ///   - notes: Where it is noted what has become of the events that the log keeps; nil if nobody wants to hear of it.
    init(
        _ messages: [DecodedMessage],
        plain: [DecodedMessage],
        without failures: [FailedMessage],
        bound: BoundBatch,
        of batch: MessageBatch,
        topic: ConsumerTopic,
        log: EventLog?,
        notes: CheckpointNotes?,
        errorHandler: any ErrorHandler
    ) {
        let sound = messages.without(failures)
        events = topic.handlers.isEmpty && log == nil ? [] : sound.flatMap(\.incomingEvents)
        handlers = topic.handlers
        messageHandlers = topic.messageHandlers
        self.messages =
            topic.messageHandlers.isEmpty
            ? []
            : plain.without(failures)
                .compactMap { message in
                    message.plain.map { ReceivedMessage(message: message.message, payload: $0.value, key: $0.key) }
                }
        self.log = log?.keeping(replicated: bound.models)
        self.batch = batch
        self.notes = log == nil ? nil : notes
        middleware = topic.middleware
        lock = topic.sharing?.lock(of: sound, errorHandler)
    }

    /// Whether nothing is done before the data are written.
    var areCalledLast: Bool { middleware.isEmpty && lock == nil && log == nil }

    /// Does work while no other transaction works on the same records.
    func locked<T: Sendable>(_ work: () async throws -> Verdict<T>) async throws -> Verdict<T> {
        guard let lock else { return try await work() }
        return try await lock.hold(work)
    }

    /// Prepares the transaction, and locks what it shares with others.
    func begin(in transaction: inout Transaction) throws {
        guard let batch else { return }
        for layer in middleware {
            do {
                try layer.begin(batch, in: &transaction)
            } catch {
                throw DionysusError.ofApplication(error, "a middleware failed to begin a transaction")
            }
        }
        try lock?.take(in: &transaction)
    }

    /// Writes the events into the log.
    /// - Returns: Those that it has already: they are neither applied nor handled again.
    func admit(in transaction: inout Transaction) throws -> Set<EventPlace> {
        guard let log, !events.isEmpty else { return [] }
        return try log.admit(events, isHandled: !handlers.isEmpty, in: &transaction)
    }

    /// Calls the handlers with each event, in the order of the partition.
    /// - Parameter repeated: The events that have been handled before.
    func run(except repeated: Set<EventPlace>, in transaction: inout Transaction) throws {
        try handleMessages(in: &transaction)
        var handled: [HandledEvent] = []
        if !handlers.isEmpty {
            for event in events where !repeated.contains(event.place) {
                handled.append(HandledEvent(event: event, answers: try answers(to: event, in: &transaction)))
            }
            try log?.settle(handled, in: &transaction)
        }
        notes?.note(outcomes(of: handled, except: repeated))
    }

    /// What has become of each event.
    private func outcomes(
        of handled: [HandledEvent],
        except repeated: Set<EventPlace>
    ) -> [(event: IncomingEvent, outcome: CheckpointNotes.Outcome)] {
        let skipped = Set(handled.filter(\.isSkipped).map(\.event.place))
        return events.map { event in
            if repeated.contains(event.place) { return (event, .repeated) }
            let isHandled = !handlers.isEmpty && !skipped.contains(event.place)
            let isKept = isHandled || log?.replicated.contains(event.model) == true
            return (event, isKept ? .acknowledged : .skipped)
        }
    }

    private func handleMessages(in transaction: inout Transaction) throws {
        guard let topic = messages.first?.topic else { return }
        do {
            for handler in messageHandlers { try handler(messages, &transaction) }
        } catch {
            throw DionysusError.ofApplication(error, "a handler of messages of topic \(topic) failed")
        }
    }

    private func answers(to event: IncomingEvent, in transaction: inout Transaction) throws -> [HandlerResult] {
        var answers: [HandlerResult] = []
        do {
            for handler in handlers { answers.append(try handler(event, &transaction)) }
        } catch {
            throw DionysusError.ofApplication(error, "a handler of \(event.name) failed")
        }
        return answers
    }
}

/// An event with what each handler has said of it.
struct HandledEvent: Sendable {
    let event: IncomingEvent
    let answers: [HandlerResult]

    /// Whether no handler has handled it.
    var isSkipped: Bool { answers.allSatisfy { $0.acknowledgement == nil } }

    /// What the handlers know better than the event; of several, what the last one says.
    var acknowledgement: HandlerResult.Acknowledgement {
        answers.compactMap(\.acknowledgement)
            .reduce(into: HandlerResult.Acknowledgement()) { result, next in
                result.entityID = next.entityID ?? result.entityID
                result.time = next.time ?? result.time
                result.type = next.type ?? result.type
                result.version = next.version ?? result.version
            }
    }
}

extension BoundBatch {
    /// The batch without events that have been applied before.
    func without(_ repeated: Set<EventPlace>) -> BoundBatch {
        guard !repeated.isEmpty else { return self }
        var copy = self
        copy.events = events.filter { event in
            let number = event.payload.origin?.number ?? 0
            return !repeated.contains(EventPlace(offset: event.message.offset, number: number))
        }
        copy.delegated = delegated.filter { !repeated.contains($0.event.place) }
        return copy
    }

    /// The models whose events have an effect here.
    var models: Set<String> {
        parts.reduce(into: []) { models, part in
            models.formUnion(part.layouts.map(\.table.model))
            models.formUnion(part.delegated.map(\.kind.model))
        }
    }
}
