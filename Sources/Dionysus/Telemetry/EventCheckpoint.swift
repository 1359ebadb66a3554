/// What becomes of the events of topics with an event log, under the names of phobos_db_checkpoint's notifications.
///
/// They are delivered once the event's transaction has been committed, in the order in which phobos_db_checkpoint sends
/// them. An event that fails has none: ``ReplicaConsumer/MessageFailed`` tells of its message.
public enum EventCheckpoint {
    /// All kinds of events.
    static let events: [any MonitorEvent.Type] = [
        ExistsCheck.self, AlreadyConsumed.self, Action.self, Acknowledged.self, Skipped.self, AroundConsume.self,
    ]

    /// The event that a notification is about.
    public struct Subject: Sendable, Hashable {
        /// The consumer's client id.
        public let listenerID: String
        /// The group.
        public let groupID: String
        /// The full name of the topic.
        public let topic: String
        /// The message's key; nil if it has none or is not text.
        public let key: String?
        /// The partition.
        public let partition: Int32
        /// The offset of the message.
        public let offset: Int64
        /// How often the message had been tried before.
        public let retryCount: Int
        /// The MD5 of the event's payload, in hexadecimal digits, as the events API has it.
        public let checksum: String

        package init(
            listenerID: String,
            groupID: String,
            topic: String,
            key: String?,
            partition: Int32,
            offset: Int64,
            retryCount: Int,
            checksum: String
        ) {
            self.listenerID = listenerID
            self.groupID = groupID
            self.topic = topic
            self.key = key
            self.partition = partition
            self.offset = offset
            self.retryCount = retryCount
            self.checksum = checksum
        }
    }

    /// `db_checkpoint.event_already_exists_check`: it was looked up whether the event log has the event.
    public struct ExistsCheck: MonitorEvent {
        public static let name = "db_checkpoint.event_already_exists_check"
        /// The event.
        public let event: Subject

        package init(_ event: Subject) { self.event = event }
    }

    /// `db_checkpoint.event_already_consumed`: the event log has the event, so it is not handled again.
    public struct AlreadyConsumed: MonitorEvent {
        public static let name = "db_checkpoint.event_already_consumed"
        /// The event.
        public let event: Subject

        package init(_ event: Subject) { self.event = event }
    }

    /// `db_checkpoint.event_action`: the event was applied, and the handlers were called with it.
    public struct Action: MonitorEvent {
        public static let name = "db_checkpoint.event_action"
        /// The event.
        public let event: Subject

        package init(_ event: Subject) { self.event = event }
    }

    /// `db_checkpoint.event_acknowledged`: the event stands in the event log.
    public struct Acknowledged: MonitorEvent {
        public static let name = "db_checkpoint.event_acknowledged"
        /// The event.
        public let event: Subject

        package init(_ event: Subject) { self.event = event }
    }

    /// `db_checkpoint.event_skipped`: the event concerns no handler and no replica, and the event log doesn't keep it.
    public struct Skipped: MonitorEvent {
        public static let name = "db_checkpoint.event_skipped"
        /// The event.
        public let event: Subject

        package init(_ event: Subject) { self.event = event }
    }

    /// `db_checkpoint.around_consume`: all of that is over.
    public struct AroundConsume: MonitorEvent {
        public static let name = "db_checkpoint.around_consume"
        /// The event.
        public let event: Subject

        package init(_ event: Subject) { self.event = event }
    }
}
