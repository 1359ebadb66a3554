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

    /// `consumer.shutting_down`: the consumer was asked to end, and finishes what is under way.
    public struct ShuttingDown: MonitorEvent {
        public static let name = "consumer.shutting_down"

        package init() {}
    }

    /// `consumer.stopped`: the consumer has ended and left its group.
    public struct Stopped: MonitorEvent {
        public static let name = "consumer.stopped"
        /// Why, if it didn't end because it was asked to or had nothing left to do.
        public let error: (any Error)?

        package init(error: (any Error)? = nil) { self.error = error }
    }

    /// `consumer.heartbeat`: the consumer has asked for messages.
    public struct Heartbeat: MonitorEvent {
        public static let name = "consumer.heartbeat"
        /// How many partitions it owns.
        public let partitions: Int

        package init(partitions: Int) { self.partitions = partitions }
    }

    /// `consumer.error`: something failed that is not one message's fault, and will be tried again or done without.
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
        /// The partitions that came.
        public let partitions: [TopicPartition]

        package init(partitions: [TopicPartition]) { self.partitions = partitions }
    }

    /// `consumer.partitions_revoked`: the consumer gives partitions back, because other members take them.
    public struct PartitionsRevoked: MonitorEvent {
        public static let name = "consumer.partitions_revoked"
        /// The partitions that went.
        public let partitions: [TopicPartition]

        package init(partitions: [TopicPartition]) { self.partitions = partitions }
    }

    /// `consumer.partitions_lost`: the group took partitions away without asking, because it missed the consumer.
    public struct PartitionsLost: MonitorEvent {
        public static let name = "consumer.partitions_lost"
        /// The partitions that went.
        public let partitions: [TopicPartition]

        package init(partitions: [TopicPartition]) { self.partitions = partitions }
    }

    /// `consumer.processing_batch`: messages of a partition are about to be applied.
    public struct ProcessingBatch: MonitorEvent {
        public static let name = "consumer.processing_batch"
        /// The partition.
        public let partition: TopicPartition
        /// How many messages there are.
        public let messages: Int

        package init(partition: TopicPartition, messages: Int) {
            self.partition = partition
            self.messages = messages
        }
    }

    /// `consumer.processed_batch`: the consumer is done with messages of a partition.
    public struct ProcessedBatch: MonitorEvent {
        public static let name = "consumer.processed_batch"
        /// The partition.
        public let partition: TopicPartition
        /// How many messages there were.
        public let messages: Int
        /// How many of their events had a say in the replica.
        public let applied: Int
        /// How many of the messages failed.
        public let failed: Int
        /// How long it took.
        public let duration: Duration
        /// Why the batch was given up, if it was: nothing more of it takes effect here.
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

    /// `consumer.message_failed`: a message could not be applied, and its topic's choice was followed.
    public struct MessageFailed: MonitorEvent {
        public static let name = "consumer.message_failed"
        /// Why.
        public let error: DionysusError
        /// The message's topic, partition and offset, and how often it was tried.
        public let context: ErrorContext
        /// What was done with it: `record`, `dead_letter`, `skip` or `stop`.
        public let policy: String

        package init(error: DionysusError, context: ErrorContext, policy: String) {
            self.error = error
            self.context = context
            self.policy = policy
        }
    }
}
