import Dionysus

/// An event that had a say, with what it changed.
struct AppliedEvent: Sendable {
    /// Its place among all events of the batch.
    let order: Int
    let message: ConsumedMessage
    let name: EventName
    let model: String
    let payload: RecordPayload
    let changes: [RecordChange]
}

/// What an event changed in one record.
///
/// The rows are shared with the batch, so that keeping them costs nothing.
struct RecordChange: Sendable {
    let table: ReplicaTable
    /// The columns of the rows, in their order.
    let columns: [ReplicaColumn]
    let id: DatabaseValue
    let old: [DatabaseValue]?
    let new: [DatabaseValue]?
}
