import Dionysus

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
