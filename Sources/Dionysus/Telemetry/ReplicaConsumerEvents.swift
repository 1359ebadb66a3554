/// The monitor events of a consumer.
public enum ReplicaConsumer {
    /// All kinds of events.
    static let events: [any MonitorEvent.Type] = [
        Started.self, Stopped.self, ShuttingDown.self, ErrorOccurred.self, Heartbeat.self, PartitionsAssigned.self,
        PartitionsRevoked.self, PartitionsLost.self, ProcessingBatch.self, ProcessedBatch.self, MessageFailed.self,
    ]

    /// `consumer.started`: the declaration has been checked, and the consumer joins its group.
    public struct Started: MonitorEvent {
        public static let name = "consumer.started"
        /// The group.
        public let group: String

        package init(group: String) { self.group = group }
    }

    /// `consumer.shutting_down`: the consumer is shutting down and finishes its running batches.
    public struct ShuttingDown: MonitorEvent {
        public static let name = "consumer.shutting_down"

        package init() {}
    }

    /// `consumer.stopped`: the consumer has stopped and left its group.
    public struct Stopped: MonitorEvent {
        public static let name = "consumer.stopped"
        /// The error, unless it was shut down or had nothing left to do.
        public let error: (any Error)?

        package init(error: (any Error)? = nil) { self.error = error }
    }

    /// `consumer.heartbeat`: the consumer has polled for messages.
    public struct Heartbeat: MonitorEvent {
        public static let name = "consumer.heartbeat"
        /// The number of partitions that it owns.
        public let partitions: Int

        package init(partitions: Int) { self.partitions = partitions }
    }

    /// `consumer.error`: something other than a message failed, and will be retried or skipped.
    public struct ErrorOccurred: MonitorEvent {
        public static let name = "consumer.error"
        /// What happened.
        public let error: any Error
        /// What was being done.
        public let context: ErrorContext

        package init(error: any Error, context: ErrorContext) {
            self.error = error
            self.context = context
        }
    }

    /// `consumer.partitions_assigned`: the consumer owns more partitions.
    public struct PartitionsAssigned: MonitorEvent {
        public static let name = "consumer.partitions_assigned"
        /// The additional partitions.
        public let partitions: [TopicPartition]

        package init(partitions: [TopicPartition]) { self.partitions = partitions }
    }

    /// `consumer.partitions_revoked`: the consumer releases partitions, because other members take them over.
    public struct PartitionsRevoked: MonitorEvent {
        public static let name = "consumer.partitions_revoked"
        /// The removed partitions.
        public let partitions: [TopicPartition]

        package init(partitions: [TopicPartition]) { self.partitions = partitions }
    }

    /// `consumer.partitions_lost`: the group removed partitions because it timed the consumer out.
    public struct PartitionsLost: MonitorEvent {
        public static let name = "consumer.partitions_lost"
        /// The removed partitions.
        public let partitions: [TopicPartition]

        package init(partitions: [TopicPartition]) { self.partitions = partitions }
    }

    /// `consumer.processing_batch`: messages of a partition are about to be applied.
    public struct ProcessingBatch: MonitorEvent {
        public static let name = "consumer.processing_batch"
        /// The partition.
        public let partition: TopicPartition
        /// The number of messages.
        public let messages: Int

        package init(partition: TopicPartition, messages: Int) {
            self.partition = partition
            self.messages = messages
        }
    }

    /// `consumer.processed_batch`: the consumer has finished messages of a partition.
    public struct ProcessedBatch: MonitorEvent {
        public static let name = "consumer.processed_batch"
        /// The partition.
        public let partition: TopicPartition
        /// The number of messages.
        public let messages: Int
        /// The number of their events that took effect in the replica.
        public let applied: Int
        /// The number of failed messages.
        public let failed: Int
        /// The duration.
        public let duration: Duration
        /// The error if the batch was given up, in which case the rest of it has no effect here.
        public let error: (any Error)?

        package init(
            partition: TopicPartition,
            messages: Int,
            applied: Int,
            failed: Int,
            duration: Duration,
            error: (any Error)?
        ) {
            self.partition = partition
            self.messages = messages
            self.applied = applied
            self.failed = failed
            self.duration = duration
            self.error = error
        }
    }

    /// `consumer.message_failed`: a message could not be applied, and its topic's failure policy was applied.
    public struct MessageFailed: MonitorEvent {
        public static let name = "consumer.message_failed"
        /// Why.
        public let error: DionysusError
        /// The message's topic, partition and offset, and the number of attempts.
        public let context: ErrorContext
        /// The policy that was applied: `record`, `dead_letter`, `skip` or `stop`.
        public let policy: String

        package init(error: DionysusError, context: ErrorContext, policy: String) {
            self.error = error
            self.context = context
            self.policy = policy
        }
    }
}
