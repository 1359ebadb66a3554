public import Dionysus

/// An event whose effect on the replica has been committed.
public struct ConsumedEvent: Sendable {
    private let event: AppliedEvent

    init(_ event: AppliedEvent) { self.event = event }

    /// The partition of its message.
    public var source: TopicPartition { message.source }
    /// The offset of its message.
    public var offset: Int64 { message.offset }
    /// The event's name: `rental_updated`.
    public var name: EventName { event.name }
    /// The model's name on the wire.
    public var model: String { event.model }
    /// The message.
    public var message: ConsumedMessage { event.message }

    /// The id that the producer gave the event, the same in every delivery; nil if it gave none.
    public var eventID: String? {
        message.headers.last { $0.name == HeaderName.eventID }.map { String(decoding: $0.value, as: UTF8.self) }
    }

    /// The topic of its message.
    public var topic: String { source.topic }

    /// The payload under the names it has here.
    public var data: JSON.Object { event.payload.data }

    /// The records that came along in the payload.
    public var related: [RelatedRecords] { event.payload.sideloads.map(RelatedRecords.init) }

    /// ``data`` with the records that came along, each under its relationship's name as an object or a list of objects that
    /// have theirs.
    ///
    /// It is made when it is asked for.
    public var wholeData: JSON.Object { event.payload.wholeData }

    /// What it changed in the replica, by record; those of sideloaded records are among them, and those of records that
    /// an association no longer has.
    ///
    /// A record that stayed as it was is not there.
    public var localChanges: [LocalRecord: [String: LocalChange]] {
        var result: [LocalRecord: [String: LocalChange]] = [:]
        for change in event.changes {
            let record = LocalRecord(model: change.model, id: change.id)
            for (slot, column) in change.columns.enumerated() {
                guard let column else { continue }
                let old = change.old?[slot] ?? .null
                let new = change.new?[slot] ?? .null
                guard old != new else { continue }
                let first = result[record]?[column]?.old ?? old
                // A record that comes along twice may be changed and changed back.
                result[record, default: [:]][column] = first == new ? nil : LocalChange(old: first, new: new)
            }
        }
        return result.filter { !$0.value.isEmpty }
    }
}

/// A record of a replica.
public struct LocalRecord: Sendable, Hashable {
    /// The model's name on the wire.
    public let model: String
    /// The record's id at the source.
    public let id: DatabaseValue

    /// Creates a reference to a record.
    /// - Parameters:
    ///   - model: The model's name on the wire.
    ///   - id: The record's id at the source.
    public init(model: String, id: DatabaseValue) {
        self.model = model
        self.id = id
    }
}

/// The change of one column.
public struct LocalChange: Sendable, Hashable {
    /// The value before; null for a new record.
    public let old: DatabaseValue
    /// The value after; null for a removed record.
    public let new: DatabaseValue
}
