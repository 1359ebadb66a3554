import Dionysus

/// A row of the outbox: one change, for one topic.
struct OutboxRow: Sendable {
    /// The topic of rows that say that something observed has changed.
    static let observerTopic = "__outbox_observer__"

    let id: Int64
    let resourceClass: String
    let resourceID: String
    let change: EventName.Change?
    let eventName: String
    let topic: String
    let partitionKey: String?
    let attempts: Int64
    let changeset: String?
    let createdAt: Timestamp?
    /// The trace of the transaction that made the change, as W3C headers have it.
    let traceparent: String?
    let tracestate: String?
    /// What has written the row if it wasn't a change itself: `genesis:7`.
    let origin: String?

    /// The columns in the order in which ``init(_:)`` reads them, followed by ``contextColumns``.
    static let columns = [
        "id", "resource_class", "resource_id", "event_name", "topic", "partition_key", "attempts", "changeset",
        "created_at",
    ]

    /// The columns that an outbox which dionysus-rb created does not have.
    static let contextColumns = ["traceparent", "tracestate", "origin"]

    init(_ row: Row) throws {
        id = try row.integer(0) ?? 0
        resourceClass = try row.text(1) ?? ""
        resourceID = try row.text(2) ?? ""
        eventName = try row.text(3) ?? ""
        change = EventName(eventName)?.change
        topic = try row.text(4) ?? ""
        partitionKey = try row.text(5)
        attempts = try row.integer(6) ?? 0
        changeset = try row.text(7)
        createdAt = try row.timestamp(8)
        traceparent = try row.text(9)
        tracestate = try row.text(10)
        origin = try row.text(11)
    }

    /// Whether the row's record has moved here from another partition key.
    /// - Parameter column: The column whose value is the partition key of its topic.
    func isMove(partitionKey column: String?) -> Bool {
        guard let column, let changeset, topic != Self.observerTopic,
            case .array(let values)? = (try? JSON(parsing: Array(changeset.utf8)))?[column], values.count == 2
        else { return false }
        return values[0] != values[1]
    }

    /// The record that the row is about, in its topic.
    var record: RecordReference { RecordReference(topic: topic, modelName: resourceClass, id: resourceID) }
}

/// A record in a topic: what a message key stands for.
struct RecordReference: Sendable, Hashable {
    let topic: String
    let modelName: String
    let id: String

    /// The key of its messages.
    var messageKey: String { "\(modelName):\(id)" }
}
