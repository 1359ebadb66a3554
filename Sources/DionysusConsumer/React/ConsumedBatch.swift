public import Dionysus

/// `dionysus.consume_batch`: the effect of events has been committed in one transaction.
///
/// It is published on the event bus before the ``ConsumedEvent`` of each of them. Its events are those that were applied:
/// none is among them that was filtered, left out by the batch transformation, older than its record, or of a model
/// that is not kept. A transaction that applied no event, or was rolled back, is not published.
public struct ConsumedBatch: BusEvent {
    public static let name = "dionysus.consume_batch"

    /// The partition of their messages.
    public let source: TopicPartition
    /// The events, in the order in which they were applied.
    public let events: [ConsumedEvent]

    /// The topic of their messages.
    public var topic: String { source.topic }
}

/// `dionysus.consume`: the effect of an event has been committed.
///
/// It is published on the event bus after the ``ConsumedBatch`` that the event is part of, and once: after a crash
/// between the commit and the publication, there is none.
extension ConsumedEvent: BusEvent {
    public static let name = "dionysus.consume"
}
