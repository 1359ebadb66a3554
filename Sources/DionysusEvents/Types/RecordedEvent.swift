public import Dionysus

public import struct Foundation.UUID

/// An event as a stream has it.
public struct RecordedEvent: Sendable {
    /// Its id.
    public let id: UUID
    /// Its stream.
    public let stream: StreamName
    /// Its position in the stream, counted from one.
    public let position: Int64
    /// Its number among the events of all streams, counted from one without gaps; nil if it hasn't got one yet, if it
    /// came by the broker, or if a stream was read without global positions.
    public let globalPosition: Int64?
    /// The name under which it is stored.
    public let type: String
    /// The version in which it is stored.
    public let version: Int
    /// What has happened, in the version of today.
    public let event: any Event
    /// The data as they are stored.
    public let data: JSON
    /// What caused it, and who.
    public let metadata: EventMetadata
    /// When it was appended.
    public let createdAt: Timestamp

    /// - Parameter key: The key of the person that the event identifies, if there is one.
    /// - Returns: Nil for an unknown event that is left out.
    init?(_ stored: StoredEvent, key: SubjectKey?, _ types: EventTypes) throws {
        let encrypted = try MemberCipher.encryptedMembers(stored.metadata)
        let data = try MemberCipher.decrypt(stored.data, encrypted, of: stored.id, with: key)
        let place = { "position \(stored.position) of stream \(stored.stream.shown)" }
        let decoded = try types.decode(type: stored.type, version: stored.version, data: data, at: place())
        guard let event = decoded else { return nil }
        id = stored.id
        stream = StreamName(stored.stream)
        position = stored.position
        globalPosition = stored.globalPosition
        type = stored.type
        version = stored.version
        self.event = event
        self.data = stored.data
        metadata = stored.metadata.ofCaller
        createdAt = stored.createdAt
    }

    /// An event that a test gives.
    package init(_ event: any Event, id: UUID, stream: StreamName, position: Int64, globalPosition: Int64?) throws {
        self.id = id
        self.stream = stream
        self.position = position
        self.globalPosition = globalPosition
        type = Swift.type(of: event).eventName
        version = Swift.type(of: event).eventVersion
        self.event = event
        data = try JSONTreeEncoder().encode(event)
        metadata = EventMetadata()
        createdAt = .now
    }
}

/// An event as a row or a message has it, before its type is known.
struct StoredEvent: Sendable {
    var id: UUID
    var stream: String
    var position: Int64
    var globalPosition: Int64?
    var type: String
    var version: Int
    var data: JSON
    var metadata: EventMetadata
    var createdAt: Timestamp

    /// The id of the person that the event identifies.
    var subject: String? { metadata.others[MemberCipher.subjectName] }
}
