import Dionysus

/// A message whose value has been read.
struct DecodedMessage: Sendable {
    let message: ConsumedMessage
    /// How recent its snapshot is, if it says so.
    let version: Int64?
    var events: [DecodedEvent]
}

/// One event of a message.
struct DecodedEvent: Sendable {
    let name: EventName
    let model: String
    let records: [RecordPayload]
}

/// A message that can't be applied, and why.
struct FailedMessage: Sendable {
    let message: ConsumedMessage
    let error: DionysusError
    let attempts: Int
    /// Whether records of it have been applied all the same.
    var isPartial = false
}
