public import Dionysus

/// Changes whose messages the broker has acknowledged.
public struct PublishedBatch: Sendable {
    /// A change.
    public struct Change: Sendable {
        /// The id that the message's `dionysus-event-id` header has.
        public let eventID: String
        /// When the change was recorded, by the database's clock.
        public let recordedAt: Timestamp
    }

    /// The changes, in the order of the outbox.
    public let changes: [Change]
    /// When the broker had acknowledged all of them.
    public let acknowledgedAt: Timestamp
}
