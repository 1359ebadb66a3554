import Dionysus

/// Messages that have been read and turned into values of columns.
struct PreparedMessages: Sendable {
    /// The messages as they were read.
    let decoded: [DecodedMessage]
    /// Those of their events that the filters accept.
    let accepted: [DecodedMessage]
    /// The other events.
    let skipped: [SkippedEvent]
    /// What the batch transformation has made of the accepted ones.
    let transformed: [DecodedMessage]
    let bound: BoundBatch
    let failures: [FailedMessage]
    /// How many messages there were.
    let count: Int
}
