import Dionysus
import DionysusConsumer

extension EventStore {
    /// The events of a batch of messages; with unknown ones, because their positions count.
    ///
    /// The keys of the people they identify are looked up in the same database.
    func received(_ events: [IncomingEvent], in transaction: inout Transaction) throws -> [RecordedEvent] {
        // Events are never destroyed, and a record says nothing about how it came to be.
        let stored = try events.filter { $0.name.change != .destroyed }
            .map { incoming in
                let decoder = JSONTreeDecoder(value: .object(incoming.payload), path: "the payload of an event")
                return StoredEvent(try StreamEvent(from: decoder))
            }
        return try EventRows.decrypt(stored, types.seeingAll, in: &transaction)
    }
}

extension StoredEvent {
    fileprivate init(_ event: StreamEvent) {
        self.init(
            id: event.id,
            stream: event.stream,
            position: event.position,
            globalPosition: nil,
            type: event.type,
            version: event.version,
            data: event.data,
            metadata: EventMetadata(event.metadata),
            createdAt: event.createdAt
        )
    }
}
