public import Dionysus
public import DionysusProducer
public import DionysusSchemas

package import struct Foundation.UUID

/// An event as a model: what capture, relay and consumers see of it.
///
///     Namespace("ads", serializers: .streamEvents) { Topic.streamEvents("events") }
public struct StreamEvent: Model {
    public static let tableName = EventSchema.table

    /// The event's id.
    package var id: UUID
    /// The name of its stream.
    package var stream: String
    /// Its position in the stream, counted from one.
    package var position: Int64
    /// The name under which it is stored.
    package var type: String
    /// The version of its data's shape.
    package var version: Int
    /// What has happened.
    package var data: JSON
    /// What caused it, and who.
    package var metadata: JSON
    /// When it was appended.
    package var createdAt: Timestamp

    public enum CodingKeys: String, CodingKey {
        case id, stream, position, type, version, data, metadata
        case createdAt = "created_at"
    }
}

extension ProducerTopic {
    /// Declares a topic with the events of all streams, in the order of their positions in each stream.
    ///
    /// Let ``/DionysusProducer/ProducerSettings/onFailure`` be `holdPartitionKey`, so that an event that can't be published
    /// holds the later ones of its stream.
    /// - Parameters:
    ///   - name: Its name without the namespace.
    ///   - types: The event types, which the contract then lists with their versions and members.
    ///   - encoding: How its messages are written.
    public static func streamEvents(
        _ name: String,
        of types: EventTypes? = nil,
        encoding: TopicEncoding = .envelope
    ) -> ProducerTopic {
        var publication = Publish(StreamEvent.self).element
        publication.events = types?.published ?? []
        let publications = [publication]
        return ProducerTopic(
            name,
            encoding: encoding,
            partitionKey: StreamEvent.CodingKeys.stream,
            publications: { publications }
        )
    }
}

extension EventTypes {
    fileprivate var published: [PublishedEvent] {
        declared.map { PublishedEvent(name: $0.eventName, version: $0.eventVersion, type: $0) }
    }
}

extension Serializers {
    /// The serializer of events.
    public static var streamEvents: Serializers { Serializers { Whole(StreamEvent.self) } }
}
