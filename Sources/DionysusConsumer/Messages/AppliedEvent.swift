import Dionysus

/// An event that was applied, with what it changed.
struct AppliedEvent: Sendable {
    /// Its place among all events of the batch.
    let order: Int
    let message: ConsumedMessage
    let name: EventName
    let model: String
    let payload: RecordPayload
    let changes: [RowChange]
}

/// What an event changed in one record of a replica.
///
/// The rows are shared with the batch, so that keeping them costs nothing.
struct RowChange: Sendable {
    /// The model that the replica keeps.
    let model: String
    /// The names of the rows' columns, in their order; nil for a column whose changes are not reported.
    let columns: [String?]
    let id: DatabaseValue
    let old: [DatabaseValue]?
    let new: [DatabaseValue]?
}
