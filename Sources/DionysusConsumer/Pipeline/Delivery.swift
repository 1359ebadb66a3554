import Dionysus

/// Messages that are applied in one transaction, with what that transaction is to complete.
struct Delivery: Sendable {
    /// Why the messages are applied.
    enum Reason: Sendable {
        /// A consumer has read them: those that fail are parked, and the database is waited for.
        case reading
        /// They were kept after a failure: they are applied once more, or fail once more.
        case retry
        /// The event log has an event of this number in a message, which is handled once more.
        case loggedEvent(EventLog, number: Int)
    }

    let reason: Reason
    let batch: MessageBatch
    let checkpoint: Checkpoint
    /// Whether a person has written the message's value anew, in JSON.
    let isEdited: Bool

    /// What a consumer has read.
    init(reading batch: MessageBatch, from cursor: OffsetCursor) {
        reason = .reading
        self.batch = batch
        isEdited = false
        checkpoint = .advance(cursor, to: batch.next, mark: batch.mark)
    }

    /// A message that was kept, with the topic, partition and offset that it had.
    init(retrying message: ConsumedMessage, isEdited: Bool, completing checkpoint: Checkpoint) {
        reason = .retry
        self.isEdited = isEdited
        batch = MessageBatch(message)
        self.checkpoint = checkpoint
    }

    /// An event that the event log keeps, as a message.
    /// - Parameter number: The number that its record had in the message it came in.
    init(of message: ConsumedMessage, number: Int, in log: EventLog) {
        reason = .loggedEvent(log, number: number)
        batch = MessageBatch(message)
        isEdited = false
        checkpoint = .nothing
    }

    var topic: String { batch.partition.topic }

    /// The number of the one record in the message that it came in, if the delivery is not that message.
    var number: Int? { if case .loggedEvent(_, let number) = reason { number } else { nil } }

    var isReading: Bool { if case .reading = reason { true } else { false } }
}

/// What was applied of a delivery.
struct Applied: Sendable {
    /// How many events were applied.
    let count: Int
    /// Whether filters have left out all there was.
    let isLeftOut: Bool
}
