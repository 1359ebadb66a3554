/// An outbox row in monitor events: what changed and where it is published, without the record's values.
public struct OutboxRecord: Sendable, Hashable {
    /// The row's id.
    public let id: Int64
    /// The topic's full name.
    public let topic: String
    /// The model's name on the wire.
    public let modelName: String
    /// The record's primary key, as in messages.
    public let recordID: String
    /// The recorded event name: `rental_updated`.
    public let eventName: String
    /// The partition key; nil means that the message key decides.
    public let partitionKey: String?
    /// The number of earlier failed attempts.
    public let attempts: Int
    /// The time when the change was recorded, by the database's clock.
    public let createdAt: Timestamp?
    /// What wrote the row, if it wasn't a change: `genesis:7`.
    public let origin: String?

    package init(
        id: Int64,
        topic: String,
        modelName: String,
        recordID: String,
        eventName: String,
        partitionKey: String?,
        attempts: Int,
        createdAt: Timestamp?,
        origin: String?
    ) {
        self.id = id
        self.topic = topic
        self.modelName = modelName
        self.recordID = recordID
        self.eventName = eventName
        self.partitionKey = partitionKey
        self.attempts = attempts
        self.createdAt = createdAt
        self.origin = origin
    }
}
