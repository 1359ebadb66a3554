/// A row of the outbox as monitor events tell of it: what changed and where it goes, without any value of the record.
public struct OutboxRecord: Sendable, Hashable {
    /// The row's id.
    public let id: Int64
    /// The topic's full name.
    public let topic: String
    /// The model's name on the wire.
    public let modelName: String
    /// The record's primary key, as messages have it.
    public let recordID: String
    /// The event's name as it was recorded: `rental_updated`.
    public let eventName: String
    /// The partition key; nil means that the message key decides.
    public let partitionKey: String?
    /// How often the row had been tried without success before.
    public let attempts: Int
    /// When the change was recorded, by the database's clock.
    public let createdAt: Timestamp?
    /// What has written the row if it wasn't a change itself: `genesis:7`.
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
