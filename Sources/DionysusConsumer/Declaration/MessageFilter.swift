public import Dionysus

/// Decides which events are applied, and says why the others are not.
///
///     MessageFilter(otherwise: "a test account") { event in event.data["test"] != .bool(true) }
///
/// An event that is left out is neither applied nor handled nor logged. The error handler gets it.
public struct MessageFilter: Sendable {
    let reason: String
    /// Whether all records of an event are to be applied, as far as the filter looks at them together.
    let acceptsTogether: @Sendable (IncomingRecords) throws -> Bool
    let isAccepted: @Sendable (IncomingEvent) throws -> Bool

    /// Creates a filter.
    /// - Parameters:
    ///   - reason: Why events are left out, for the error handler.
    ///   - isAccepted: Whether an event is to be applied. What it throws is a failure of the event's message.
    public init(
        otherwise reason: String = "a filter does not accept it",
        isAccepted: @escaping @Sendable (IncomingEvent) throws -> Bool
    ) {
        self.reason = reason
        acceptsTogether = { _ in true }
        self.isAccepted = isAccepted
    }

    /// Creates a filter that looks at all records of an event together.
    ///
    ///     MessageFilter(otherwise: "a test account", together: { $0.records.allSatisfy { $0.data["test"] == nil } })
    /// - Parameters:
    ///   - reason: Why events are left out, for the error handler.
    ///   - accepts: Whether an event is to be applied, with all of its records. What it throws is a failure of its message.
    public init(
        otherwise reason: String = "a filter does not accept it",
        together accepts: @escaping @Sendable (IncomingRecords) throws -> Bool
    ) {
        self.reason = reason
        acceptsTogether = accepts
        isAccepted = { _ in true }
    }
}

/// An event as it stands in its message, with all of its records.
public struct IncomingRecords: Sendable {
    /// The message, as the last middleware left it.
    public let message: ConsumedMessage
    /// The event's name: `rental_updated`.
    public let name: EventName
    /// The model's name on the wire.
    public let model: String
    /// The event once for each of its records, in their order.
    public let records: [IncomingEvent]

    /// The topic of its message.
    public var topic: String { message.source.topic }
}

extension ConsumerTopic {
    /// Leaves out events that a condition does not accept.
    ///
    ///     Topic("rentals").accepting(otherwise: "a test account") { event in event.data["test"] != .bool(true) }
    ///
    /// - Parameters:
    ///   - reason: Why events are left out, for the error handler.
    ///   - isAccepted: Whether an event is to be applied. What it throws is a failure of the event's message.
    public func accepting(
        otherwise reason: String = "a filter does not accept it",
        where isAccepted: @escaping @Sendable (IncomingEvent) throws -> Bool
    ) -> ConsumerTopic {
        filtering(by: MessageFilter(otherwise: reason, isAccepted: isAccepted))
    }

    /// Leaves out events that a filter does not accept.
    public func filtering(by filter: MessageFilter) -> ConsumerTopic {
        changing { $0.filters.append(filter) }
    }
}

/// An event that a filter does not accept.
struct SkippedEvent: Sendable {
    let event: IncomingEvent
    let reason: String
}

extension [MessageFilter] {
    /// The messages with those of their events that all filters accept, and the others.
    /// - Throws: ``DionysusError`` with code `application` when a filter fails.
    func accept(_ messages: [DecodedMessage]) throws -> (messages: [DecodedMessage], skipped: [SkippedEvent]) {
        guard !isEmpty else { return (messages, []) }
        var skipped: [SkippedEvent] = []
        let accepted = try messages.map { decoded in
            var copy = decoded
            copy.events = try decoded.events.map { event in
                let candidates = event.records.map { IncomingEvent($0, of: event, in: decoded) }
                let together = IncomingRecords(
                    message: decoded.message,
                    name: event.name,
                    model: event.model,
                    records: candidates
                )
                let common = try objection(event.name) { try $0.acceptsTogether(together) }
                let records = try zip(event.records, candidates)
                    .compactMap { record, candidate -> RecordPayload? in
                        let own = try common ?? objection(event.name) { try $0.isAccepted(candidate) }
                        guard let reason = own else { return record }
                        skipped.append(SkippedEvent(event: candidate, reason: reason))
                        return nil
                    }
                return DecodedEvent(name: event.name, model: event.model, records: records)
            }
            return copy
        }
        return (accepted, skipped)
    }

    /// Why the first filter that does not accept an event doesn't; nil if all do.
    private func objection(_ name: EventName, accepts: (MessageFilter) throws -> Bool) throws -> String? {
        for filter in self {
            do {
                if try !accepts(filter) { return filter.reason }
            } catch {
                throw DionysusError.ofApplication(error, "a filter failed on \(name)")
            }
        }
        return nil
    }
}

extension ErrorHandler {
    /// Reports an event that a filter does not accept.
    func handle(_ skipped: SkippedEvent) {
        let event = skipped.event
        let error = DionysusError(.filtered, "\(event.name) was left out: \(skipped.reason)")
        handle(error, ErrorContext("apply an event", about: event.message))
    }
}

extension ErrorContext {
    init(_ activity: String, about message: ConsumedMessage) {
        self.init(
            activity,
            topic: message.source.topic,
            partition: message.source.partition,
            offset: message.offset,
            record: message.key.flatMap { String(validating: $0, as: UTF8.self) }
        )
    }
}
