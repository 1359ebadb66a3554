import Dionysus

/// Decides which events are applied.
struct MessageFilter: Sendable {
    let isAccepted: @Sendable (IncomingEvent) -> Bool
}

extension [MessageFilter] {
    /// The messages with those of their records that all filters accept, and how many were skipped.
    func accept(_ messages: [DecodedMessage]) -> (messages: [DecodedMessage], skipped: Int) {
        guard !isEmpty else { return (messages, 0) }
        var skipped = 0
        let accepted = messages.map { decoded in
            var copy = decoded
            copy.events = decoded.events.map { event in
                let records = event.records.filter { record in
                    let candidate = IncomingEvent(record, of: event, in: decoded)
                    return allSatisfy { $0.isAccepted(candidate) }
                }
                skipped += event.records.count - records.count
                return DecodedEvent(name: event.name, model: event.model, records: records)
            }
            return copy
        }
        return (accepted, skipped)
    }
}
