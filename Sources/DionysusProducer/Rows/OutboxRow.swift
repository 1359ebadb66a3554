import Dionysus

/// A row of the outbox: one change, for one topic.
///
/// It is a class because lists of rows are made of others all the way to the broker, and a row is large.
final class OutboxRow: Sendable {
    /// The topic of rows that say that something observed has changed.
    static let observerTopic = "__outbox_observer__"

    let id: Int64
    let resourceClass: String
    /// The record's primary key as it was recorded.
    let resourceID: String
    /// The record's primary key as messages have it.
    let recordID: String
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
    /// Whether the row is younger than the publishing delay.
    let isYoung: Bool

    /// The columns in the order in which ``init(_:)`` reads them, followed by ``contextColumns`` and whether it is young.
    static let columns = [
        "id", "resource_class", "resource_id", "event_name", "topic", "partition_key", "attempts", "changeset",
        "created_at",
    ]

    /// The columns that an outbox which dionysus-rb created does not have.
    static let contextColumns = ["traceparent", "tracestate", "origin"]

    /// - Parameters:
    ///   - row: The row.
    ///   - keys: The keys of those models whose records may have been recorded under several spellings of theirs.
    init(_ row: Row, keys: [String: RecordKey] = [:]) throws {
        id = try row.integer(0) ?? 0
        resourceClass = try row.text(1) ?? ""
        resourceID = try row.text(2) ?? ""
        recordID = keys[resourceClass]?.canonical(resourceID) ?? resourceID
        eventName = try row.text(3) ?? ""
        change = EventName.Change(ofEvent: eventName)
        topic = try row.text(4) ?? ""
        partitionKey = try row.text(5)
        attempts = try row.integer(6) ?? 0
        changeset = try row.text(7)
        createdAt = try row.timestamp(8)
        traceparent = try row.text(9)
        tracestate = try row.text(10)
        origin = try row.text(11)
        isYoung = try row.integer(12) == 1
    }

    /// The row that an update of a record would write now, without an id or a changeset.
    init(updating id: String, of model: ModelDescription, in topic: String, partitionKey: String?) {
        self.id = 0
        resourceClass = model.name
        resourceID = id
        recordID = id
        eventName = EventName(model.singular, .updated).description
        change = .updated
        self.topic = topic
        self.partitionKey = partitionKey
        attempts = 0
        changeset = nil
        createdAt = nil
        traceparent = nil
        tracestate = nil
        origin = nil
        isYoung = false
    }

    /// What the changeset says, by column.
    var changedValues: JSON.Object? {
        guard let changeset, case .object(let values) = try? JSON(parsing: Array(changeset.utf8)) else { return nil }
        return values
    }

    /// The old and the new value of a column, as far as the changeset has them.
    func values(of column: String) -> [JSON] {
        guard case .array(let values) = changedValues?[column] else { return [] }
        return values
    }

    /// What decides its lane.
    var laneText: String { partitionKey ?? record.messageKey }

    /// The record that the row is about, in its topic.
    var record: RecordReference { RecordReference(topic: topic, modelName: resourceClass, id: recordID) }

    /// The key of its record's messages.
    var messageKey: [UInt8] {
        var key: [UInt8] = []
        key.reserveCapacity(resourceClass.utf8.count + recordID.utf8.count + 1)
        key += resourceClass.utf8
        key.append(UInt8(ascii: ":"))
        key += recordID.utf8
        return key
    }
}

extension [OutboxRow] {
    /// Without some rows, and the later ones of their records.
    func without(_ waiting: Set<Int64>) -> [OutboxRow] {
        guard !waiting.isEmpty else { return self }
        var records: Set<RecordReference> = []
        return filter { row in
            if waiting.contains(row.id) { records.insert(row.record) }
            return !records.contains(row.record)
        }
    }

    /// Without rows that are too young, and those behind them with the same partition key.
    var oldEnough: [OutboxRow] {
        guard contains(where: \.isYoung) else { return self }
        var held: Set<String> = []
        return filter { row in
            if row.isYoung { held.insert(row.laneText) }
            return !held.contains(row.laneText)
        }
    }

    /// The ids of those rows whose record has the same event again in its next row.
    var consecutiveDuplicates: Set<Int64> {
        var last: [RecordReference: OutboxRow] = [:]
        var duplicates: Set<Int64> = []
        for row in self {
            // Each message tells something of its own.
            if let previous = last[row.record], previous.eventName == row.eventName, !row.isOfPlainMessage {
                duplicates.insert(previous.id)
            }
            last[row.record] = row
        }
        return duplicates
    }
}

extension [OutboxRow] {
    /// The ids of those rows of plain messages, in some topics, whose key has a later message.
    func outdatedMessages(in topics: Set<String>) -> Set<Int64> {
        guard !topics.isEmpty else { return [] }
        var last: [RecordReference: Int64] = [:]
        var outdated: Set<Int64> = []
        for row in self where row.isOfPlainMessage && topics.contains(row.topic) {
            if let previous = last.updateValue(row.id, forKey: row.record) { outdated.insert(previous) }
        }
        return outdated
    }
}

extension OutboxRow {
    /// The trace context of the transaction that made the change, if it had one.
    var traceContext: TraceContext? {
        traceparent.flatMap { TraceContext(traceparent: $0, tracestate: tracestate) }
    }
}
