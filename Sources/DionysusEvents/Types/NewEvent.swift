public import struct Foundation.UUID

/// An event that is to be appended.
public struct NewEvent: Sendable {
    /// Its id: appending an event with the id of one that the stream has changes nothing.
    public var id: UUID
    /// What has happened.
    public var event: any Event
    /// What caused it, and who.
    public var metadata: EventMetadata

    /// Creates it.
    /// - Parameters:
    ///   - event: What has happened.
    ///   - id: Its id; a new one by default.
    ///   - metadata: What caused it, and who.
    public init(_ event: any Event, id: UUID = .newEventID(), metadata: EventMetadata = EventMetadata()) {
        self.id = id
        self.event = event
        self.metadata = metadata
    }
}
