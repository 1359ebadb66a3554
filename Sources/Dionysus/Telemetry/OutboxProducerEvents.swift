/// The monitor events of the outbox's worker.
public enum OutboxProducer {
    /// All kinds of events.
    static let events: [any MonitorEvent.Type] = [
        Started.self, Stopped.self, ShuttingDown.self, ErrorOccurred.self, PublishingFailed.self, Published.self,
        ProcessingTopic.self, ProcessedTopic.self, LockExistsForTopic.self, Heartbeat.self,
    ]

    /// `outbox_producer.started`: the relay is ready to publish.
    public struct Started: MonitorEvent {
        public static let name = "outbox_producer.started"
        /// The number of outbox lanes.
        public let lanes: Int
        /// The relay's number of concurrent batches.
        public let workers: Int

        package init(lanes: Int, workers: Int) {
            self.lanes = lanes
            self.workers = workers
        }
    }

    /// `outbox_producer.shutting_down`: the relay is shutting down and finishes its running batches.
    public struct ShuttingDown: MonitorEvent {
        public static let name = "outbox_producer.shutting_down"

        package init() {}
    }

    /// `outbox_producer.stopped`: the relay has stopped and released its lanes.
    public struct Stopped: MonitorEvent {
        public static let name = "outbox_producer.stopped"
        /// The error, unless it was shut down or had nothing left to do.
        public let error: (any Error)?

        package init(error: (any Error)? = nil) { self.error = error }
    }

    /// `outbox_producer.error`: something failed that affects several rows, and will be retried.
    public struct ErrorOccurred: MonitorEvent {
        public static let name = "outbox_producer.error"
        /// What happened.
        public let error: any Error
        /// What was being done.
        public let context: ErrorContext

        package init(error: any Error, context: ErrorContext) {
            self.error = error
            self.context = context
        }
    }

    /// `outbox_producer.publishing_failed`: a row could not be published.
    public struct PublishingFailed: MonitorEvent {
        public static let name = "outbox_producer.publishing_failed"
        /// Why.
        public let error: DionysusError
        /// The row.
        public let record: OutboxRecord
        /// The context, as passed to the error handler.
        public let context: ErrorContext
        /// Whether that was its last attempt, so that it must be retried or discarded by hand.
        public let isParked: Bool

        package init(error: DionysusError, record: OutboxRecord, context: ErrorContext, isParked: Bool) {
            self.error = error
            self.record = record
            self.context = context
            self.isParked = isParked
        }
    }

    /// `outbox_producer.published`: the broker has acknowledged rows of a batch, and they are settled.
    public struct Published: MonitorEvent {
        public static let name = "outbox_producer.published"
        /// The topic.
        public let topic: String
        /// The lane of the rows.
        public let lane: Int
        /// The rows, in order; each has had its message.
        public let records: [OutboxRecord]
        /// The ids of the outbox rows.
        package var rowIDs: [Int64] { records.map(\.id) }
        /// The number of messages: one per row.
        public var messages: Int { records.count }

        package init(topic: String, lane: Int, records: [OutboxRecord]) {
            self.topic = topic
            self.lane = lane
            self.records = records
        }
    }

    /// `outbox_producer.processing_topic`: a batch with rows for a topic has been claimed.
    public struct ProcessingTopic: MonitorEvent {
        public static let name = "outbox_producer.processing_topic"
        /// The topic.
        public let topic: String
        /// The lane.
        public let lane: Int
        /// The number of the batch's rows for the topic.
        public let rows: Int

        package init(topic: String, lane: Int, rows: Int) {
            self.topic = topic
            self.lane = lane
            self.rows = rows
        }
    }

    /// `outbox_producer.processed_topic`: a batch with rows for a topic is done.
    public struct ProcessedTopic: MonitorEvent {
        public static let name = "outbox_producer.processed_topic"
        /// The topic.
        public let topic: String
        /// The lane.
        public let lane: Int
        /// The number of the batch's rows for the topic.
        public let rows: Int
        /// The number of published rows.
        public let published: Int
        /// The number of failed rows.
        public let failed: Int
        /// The duration of the whole batch.
        public let duration: Duration

        package init(topic: String, lane: Int, rows: Int, published: Int, failed: Int, duration: Duration) {
            self.topic = topic
            self.lane = lane
            self.rows = rows
            self.published = published
            self.failed = failed
            self.duration = duration
        }
    }

    /// `outbox_producer.lock_exists_for_topic`: another relay holds a lane with pending rows.
    public struct LockExistsForTopic: MonitorEvent {
        public static let name = "outbox_producer.lock_exists_for_topic"
        /// The lane.
        public let lane: Int
        /// The topics of its oldest 1,000 waiting rows, as far as they could be read.
        public let topics: [String]

        package init(lane: Int, topics: [String]) {
            self.lane = lane
            self.topics = topics
        }
    }

    /// `outbox_producer.heartbeat`: the relay has polled for new rows.
    public struct Heartbeat: MonitorEvent {
        public static let name = "outbox_producer.heartbeat"
        /// The number of lanes with rows that can be published.
        public let pendingLanes: Int

        package init(pendingLanes: Int) { self.pendingLanes = pendingLanes }
    }
}
