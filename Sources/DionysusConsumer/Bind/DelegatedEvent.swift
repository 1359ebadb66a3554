import Dionysus

/// An event that a closure of the application takes.
struct DelegatedEvent: Sendable {
    /// What goes together in one call.
    struct Kind: Sendable, Hashable {
        let model: String
        /// What the events tell; nil for a closure that takes all of them.
        let change: EventName.Change?
    }

    /// The place of the event, or of the one it came along in, among all events of the batch.
    let order: Int
    let kind: Kind
    let event: IncomingEvent
    let handler: RecordHandler
    /// Whether the event did not come along in another.
    let standsAlone: Bool
}

extension [DelegatedEvent] {
    /// The calls that hand over the events: those of one model in their order, as many in one call as can be.
    var calls: [[DelegatedEvent]] {
        var calls: [[DelegatedEvent]] = []
        var last: [String: Int] = [:]
        let ordered = enumerated().sorted { ($0.element.order, $0.offset) < ($1.element.order, $1.offset) }
        for (_, delegatedEvent) in ordered {
            if let call = last[delegatedEvent.kind.model], calls[call][0].kind == delegatedEvent.kind {
                calls[call].append(delegatedEvent)
            } else {
                last[delegatedEvent.kind.model] = calls.count
                calls.append([delegatedEvent])
            }
        }
        return calls
    }
}

/// A relationship that a closure of the application resolves.
struct CustomResolution: Sendable {
    let resolution: AssociationResolution
    let resolver: AssociationResolver
}
