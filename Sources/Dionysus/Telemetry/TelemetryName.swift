/// The names of metrics, their dimensions, and the attributes of spans.
///
/// Names that begin with `messaging` follow OpenTelemetry's messaging conventions. Durations are recorded as timers in
/// nanoseconds, which the metrics backend converts.
///
/// | metric | kind | dimensions | meaning |
/// |---|---|---|---|
/// | `messaging.client.sent.messages` | counter | system, destination, operation, error type if refused | messages that the broker has acknowledged, or refused |
/// | `messaging.client.operation.duration` | timer | system, operation | how long sending a batch took, until its last acknowledgement |
/// | `dionysus.relay.published` | counter | destination | rows of the outbox that were published |
/// | `dionysus.relay.failures` | counter | error type | rows that failed, and batches and polls that will be retried |
/// | `dionysus.relay.parked` | counter | destination | rows that used up their attempts |
/// | `dionysus.relay.superfluous` | counter | | rows that needed no message: the record no longer exists, or a later row covers it |
/// | `dionysus.relay.batch.size` | recorder | | rows of a batch |
/// | `dionysus.relay.stage.duration` | timer | stage: `claim`, `expand`, `load`, `serialize`, `send`, `settle` | how long a stage of a batch took |
/// | `dionysus.relay.lanes.active` | gauge | | lanes that this relay works on |
/// | `dionysus.relay.lanes.contended` | counter | | lanes that another relay held when this one wanted them |
/// | `dionysus.outbox.pending` | gauge | | rows that wait to be published; at most 10,000 are counted in a lane |
/// | `dionysus.outbox.failing` | gauge | | rows that have failed and wait for their next attempt |
/// | `dionysus.outbox.parked` | gauge | | rows that used up their attempts |
/// | `dionysus.outbox.oldest.age` | gauge | | age of the oldest waiting row, in seconds |
/// | `dionysus.latency` | gauge | statistic: `min`, `max`, `avg` | from a change's commit to its acknowledgement by this relay, over the last minute, in seconds |
/// | `dionysus.outbox.latency` | gauge | statistic: `min`, `max`, `avg` | from a change's commit until any relay marked its row, of those among the newest 2,000 that were published during the last minute, in seconds |
///
/// | metric of a consumer | kind | dimensions | meaning |
/// |---|---|---|---|
/// | `messaging.client.consumed.messages` | counter | system, destination, operation, consumer group | messages that a consumer has finished, whatever the outcome |
/// | `messaging.process.duration` | timer | system, destination, operation, consumer group, error type if it failed | how long a batch took, its retries included |
/// | `dionysus.consumer.applied` | counter | destination | events that took effect in the replica |
/// | `dionysus.consumer.skipped` | counter | destination, reason: `outdated`, `filtered`, `collapsed`, `no_replica`, `tombstone`, `unknown_event` | events without effect; for the last two reasons, messages |
/// | `dionysus.consumer.failures` | counter | error type | messages and other operations that failed |
/// | `dionysus.consumer.parked` | counter | destination, policy: `record`, `dead_letter`, `skip`, `stop` | messages that used up their attempts, by the policy applied |
/// | `dionysus.consumer.retries` | counter | destination | batches that were retried, in halves or as single messages |
/// | `dionysus.consumer.rebalances` | counter | change: `assigned`, `revoked`, `lost` | changes of the member's partitions |
/// | `dionysus.consumer.partitions` | gauge | | partitions that this member owns |
/// | `dionysus.consumer.batch.size` | recorder | | messages of a batch |
/// | `dionysus.consumer.stage.duration` | timer | stage: `decode`, `bind`, `park`, `persist`, `react` | how long a stage of a batch took |
/// | `dionysus.consumer.lag.messages` | gauge | destination, partition | unapplied messages of an owned partition |
/// | `dionysus.consumer.lag.age` | gauge | destination, partition | upper bound for the age of the oldest of them, in seconds |
/// | `dionysus.verification.differences` | gauge | destination, model, kind: `missing`, `stale`, `extra`, `unreadable` | what the last verification of all records of a model in a topic has found |
///
/// | metric of projections | kind | dimensions | meaning |
/// |---|---|---|---|
/// | `dionysus.projection.lag.events` | gauge | projection | events that the projection has not applied; beyond 10,000 an upper bound |
/// | `dionysus.projection.lag.age` | gauge | projection | age of the oldest of them, in seconds |
/// | `dionysus.projection.rebuild.remaining` | gauge | projection | events that a rebuild has still to apply; missing if there is none |
///
/// | attribute of spans | meaning |
/// |---|---|
/// | `messaging.system` | `kafka`, or `dionysus` for the embedded log |
/// | `messaging.operation.name`, `messaging.operation.type` | `send`, `process` |
/// | `messaging.destination.name` | the topic, if all messages of the batch go to one |
/// | `messaging.destination.partition.id` | the partition that the batch was read from |
/// | `messaging.consumer.group.name` | the group that read it |
/// | `messaging.client.id` | the client's name |
/// | `messaging.batch.message_count` | the number of messages in the batch |
/// | `error.type` | the code of the error, if something failed |
///
/// Message keys are not recorded: they contain record ids, which can be personal data.
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
    package static let outboxLatency = "dionysus.outbox.latency"

    package static let consumedMessages = "messaging.client.consumed.messages"
    package static let processDuration = "messaging.process.duration"
    package static let applied = "dionysus.consumer.applied"
    package static let skipped = "dionysus.consumer.skipped"
    package static let consumerFailures = "dionysus.consumer.failures"
    package static let parkedMessages = "dionysus.consumer.parked"
    package static let retries = "dionysus.consumer.retries"
    package static let rebalances = "dionysus.consumer.rebalances"
    package static let ownedPartitions = "dionysus.consumer.partitions"
    package static let consumerBatchSize = "dionysus.consumer.batch.size"
    package static let consumerStageDuration = "dionysus.consumer.stage.duration"
    package static let lagMessages = "dionysus.consumer.lag.messages"
    package static let lagAge = "dionysus.consumer.lag.age"

    package static let projectionLagEvents = "dionysus.projection.lag.events"
    package static let projectionLagAge = "dionysus.projection.lag.age"
    package static let rebuildRemaining = "dionysus.projection.rebuild.remaining"
    package static let differences = "dionysus.verification.differences"

    package static let change = "change"
    package static let kind = "kind"
    package static let model = "model"
    package static let policy = "policy"
    package static let projection = "projection"
    package static let reason = "reason"
    package static let stage = "stage"
    package static let statistic = "statistic"
    package static let messagingSystem = "messaging.system"
    package static let operationName = "messaging.operation.name"
    package static let operationType = "messaging.operation.type"
    package static let destination = "messaging.destination.name"
    package static let destinationPartition = "messaging.destination.partition.id"
    package static let consumerGroup = "messaging.consumer.group.name"
    package static let clientID = "messaging.client.id"
    package static let batchMessageCount = "messaging.batch.message_count"
    package static let errorType = "error.type"
}
