import Dionysus

/// What an event asks to be done with a record.
struct RecordEvent: Sendable {
    let change: EventName.Change
    let recency: Recency
    let cancellation: RecordPayload.Cancellation
    let createdAt: Timestamp?
    let updatedAt: Timestamp?
    /// The places in the row that the payload assigns, and their values.
    let slots: SlotSet
    let assignments: [(slot: Int, value: DatabaseValue)]
    /// The payload, where the application keeps it elsewhere.
    var keptData: JSON.Object?

    /// Whether the event is a destruction and only its message's position says when.
    var isUndated: Bool { change == .destroyed && recency.version == nil && recency.time == nil }
}

/// The places in a replica's row that have a meaning, as far as the table has the columns.
struct RowSlots: Sendable, Hashable {
    let id: Int
    let version: Int?
    let createdAt: Int?
    let updatedAt: Int?
    let canceledAt: Int?
    /// How many places a row has.
    var count: Int
    /// Whether records destroyed without a time of cancellation are kept, soft-deleted.
    let softDeletes: Bool
    /// Whether the replica has its own strategy for destroyed records.
    let cancelsItself: Bool
    /// The type of the column for soft deletion.
    let canceledAtType: DatabaseType?
    /// Whether the version can be left open, for rows that an event without one has written last.
    let forgetsVersion: Bool
}
