public import Dionysus

/// An event before it is applied, as a filter sees it.
public struct FilteredEvent: Sendable {
    /// The message.
    public let message: ConsumedMessage
    /// The event's name: `rental_updated`.
    public let name: EventName
    /// The model's name on the wire.
    public let model: String
    /// The payload under the names it has here.
    public let data: JSON.Object
}

/// Decides which events are applied.
struct MessageFilter: Sendable {
    let isAccepted: @Sendable (FilteredEvent) -> Bool
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
                    let candidate = FilteredEvent(
                        message: decoded.message,
                        name: event.name,
                        model: event.model,
                        data: record.data
                    )
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
