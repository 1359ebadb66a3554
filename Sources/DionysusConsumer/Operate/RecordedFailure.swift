public import Dionysus

/// A message that could not be applied, as it is recorded in the database; without its bytes, which may be many.
public struct RecordedFailure: Sendable, Hashable {
    /// How a recorded message stands.
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// It has been tried and has failed.
        case failed
        /// It has not been tried, because an earlier message of its key has failed.
        case waiting
    }

    /// The number by which it is retried and deleted.
    public let id: Int64
    /// The partition of the message.
    public let source: TopicPartition
    /// The offset of the message.
    public let offset: Int64
    /// The message key as text; nil if it has none or is not text.
    public let key: String?
    /// The number of bytes of the value; nil for a message without a value.
    package let size: Int?
    /// The record's id, as the key has it.
    public let entityID: String?
    /// The record's time, or else the message's.
    package let eventTime: Timestamp?
    /// The first event's name, if it could be read.
    public let eventType: String?
    /// The version, if the message has one.
    package let eventVersion: Int64?
    /// The kind of the last error; `waiting` for a message that waits.
    public let errorClass: String
    /// What went wrong last.
    public let errorMessage: String
    /// What the database or the application said besides; it may show values of the message.
    package let errorDetails: String?
    /// How often the message has been tried.
    public let attempts: Int
    /// When it was recorded, by the database's clock.
    public let createdAt: Timestamp?
    /// When a retry last failed.
    package let retriedAt: Timestamp?

    /// How it stands.
    public var state: State { attempts == 0 ? .waiting : .failed }

    /// The columns in the order in which ``init(_:)`` reads them.
    static let columns: SQL = """
        id, topic, "partition", "offset", "key", length(payload), entity_id, event_time, event_type, event_version,
        error_class, error_message, error_details, attempts, created_at, retried_at
        """

    init(_ row: Row) throws {
        id = try row.integer(0) ?? 0
        source = TopicPartition(try row.text(1) ?? "", Int32(truncatingIfNeeded: try row.integer(2) ?? 0))
        offset = try row.integer(3) ?? 0
        key = row.bytes(4).flatMap { String(validating: $0, as: UTF8.self) }
        size = try row.integer(5).map { Int($0) }
        entityID = try row.text(6)
        eventTime = try row.timestamp(7)
        eventType = try row.text(8)
        eventVersion = try row.integer(9)
        errorClass = try row.text(10) ?? ""
        errorMessage = try row.text(11) ?? ""
        errorDetails = try row.text(12)
        attempts = Int(try row.integer(13) ?? 0)
        createdAt = try row.timestamp(14)
        retriedAt = try row.timestamp(15)
    }
}

/// Which recorded failures are meant.
public struct FailureFilter: Sendable, Hashable {
    /// How they stand; nil for any.
    public var state: RecordedFailure.State?
    /// The full name of their topic; nil for any.
    public var topic: String?
    /// The message key: `Rental:5`; nil for any.
    public var key: String?
    /// The kind of their last error: `constraint`; nil for any.
    public var errorClass: String?
    /// Only those with a higher id, for the next page; nil for the first.
    public var after: Int64?
    /// How many at most, those with the lowest ids.
    ///
    /// Default 50.
    public var limit: Int

    /// Creates a filter.
    /// - Parameters:
    ///   - state: How they stand; nil for any.
    ///   - topic: The full name of their topic; nil for any.
    ///   - key: The message key; nil for any.
    ///   - errorClass: The kind of their last error; nil for any.
    ///   - after: Only those with a higher id.
    ///   - limit: How many at most.
    public init(
        state: RecordedFailure.State? = nil,
        topic: String? = nil,
        key: String? = nil,
        errorClass: String? = nil,
        after: Int64? = nil,
        limit: Int = 50
    ) {
        self.state = state
        self.topic = topic
        self.key = key
        self.errorClass = errorClass
        self.after = after
        self.limit = limit
    }
}

/// The result of retrying a failure.
public struct FailureRetry: Sendable, Hashable {
    /// How a retry ends.
    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        /// The message has been applied and the failure removed.
        case applied
        /// It has failed again.
        case failed
        /// It was not tried, because it waits behind an earlier failure of its key.
        case waiting
        /// There is no such failure; it may have been applied or deleted meanwhile.
        case notFound
    }

    /// The id of the failure.
    public let id: Int64
    /// How the retry ended.
    public let outcome: Outcome
    /// What went wrong, if it failed again.
    public internal(set) var error: String?
    /// The failure that it waits behind.
    package internal(set) var behind: Int64?
    /// How many messages that waited behind it have been applied after it.
    package internal(set) var released = 0
    /// The message behind it that failed, so that those behind that one wait for it now.
    package internal(set) var stoppedAt: Int64?
}
