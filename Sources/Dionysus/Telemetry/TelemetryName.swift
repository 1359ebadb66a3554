/// The names of metrics, their dimensions, and the attributes of spans.
///
/// Those that begin with `messaging` are OpenTelemetry's conventions for messaging; durations are recorded as timers, in
/// nanoseconds, which the metrics' backend converts.
///
/// | metric | kind | dimensions | meaning |
/// |---|---|---|---|
/// | `messaging.client.sent.messages` | counter | system, destination, operation, error type if refused | messages that the broker has acknowledged, or refused |
/// | `messaging.client.operation.duration` | timer | system, operation | how long sending a batch took, until its last acknowledgement |
/// | `dionysus.relay.published` | counter | destination | rows of the outbox that were published |
/// | `dionysus.relay.failures` | counter | error type | rows that failed, and batches and polls that will be done again |
/// | `dionysus.relay.parked` | counter | destination | rows that failed for the last time |
/// | `dionysus.relay.superfluous` | counter | | rows that needed no message: the record is gone, or a later row says the same |
/// | `dionysus.relay.batch.size` | recorder | | rows of a batch |
/// | `dionysus.relay.stage.duration` | timer | stage: `claim`, `expand`, `load`, `serialize`, `send`, `settle` | how long a stage of a batch took |
/// | `dionysus.relay.lanes.active` | gauge | | lanes that this relay works on |
/// | `dionysus.relay.lanes.contended` | counter | | lanes that somebody else held when this relay wanted them |
/// | `dionysus.outbox.pending` | gauge | | rows that wait to be published; at most 10,000 are counted in a lane |
/// | `dionysus.outbox.failing` | gauge | | rows that have failed and wait for their next attempt |
/// | `dionysus.outbox.parked` | gauge | | rows that have failed for the last time |
/// | `dionysus.outbox.oldest.age` | gauge | | age of the oldest row that waits, in seconds |
/// | `dionysus.latency` | gauge | statistic: `min`, `max`, `avg` | from a change's commit to its acknowledgement, over the last minute, in seconds |
///
/// | attribute of spans | meaning |
/// |---|---|
/// | `messaging.system` | `kafka`, or `dionysus` for the embedded log |
/// | `messaging.operation.name`, `messaging.operation.type` | `send` |
/// | `messaging.destination.name` | the topic, where all messages of the batch go to one |
/// | `messaging.client.id` | the client's name |
/// | `messaging.batch.message_count` | how many messages the batch has |
/// | `error.type` | the code of the error, if something failed |
///
/// Message keys are no attribute: they hold ids of records, which can be personal data.
package enum TelemetryName {
    package static let sentMessages = "messaging.client.sent.messages"
    package static let operationDuration = "messaging.client.operation.duration"
    package static let published = "dionysus.relay.published"
    package static let failures = "dionysus.relay.failures"
    package static let parked = "dionysus.relay.parked"
    package static let superfluous = "dionysus.relay.superfluous"
    package static let batchSize = "dionysus.relay.batch.size"
    package static let stageDuration = "dionysus.relay.stage.duration"
    package static let activeLanes = "dionysus.relay.lanes.active"
    package static let contendedLanes = "dionysus.relay.lanes.contended"
    package static let pendingRows = "dionysus.outbox.pending"
    package static let failingRows = "dionysus.outbox.failing"
    package static let parkedRows = "dionysus.outbox.parked"
    package static let oldestAge = "dionysus.outbox.oldest.age"
    package static let latency = "dionysus.latency"

    package static let stage = "stage"
    package static let statistic = "statistic"
    package static let messagingSystem = "messaging.system"
    package static let operationName = "messaging.operation.name"
    package static let operationType = "messaging.operation.type"
    package static let destination = "messaging.destination.name"
    package static let clientID = "messaging.client.id"
    package static let batchMessageCount = "messaging.batch.message_count"
    package static let errorType = "error.type"
}
