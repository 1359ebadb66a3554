/// What went wrong, where, and what to do about it.
///
/// The description is safe to log: it shows no payloads, SQL values or secrets. The underlying error may, and is only
/// part of ``debugDescription``.
public struct DionysusError: Error, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// The kind of failure, for programs.
    ///
    /// More codes may be added; match the ones you handle and keep a default.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The stable name of the code.
        public let description: String

        /// Creates a code.
        public init(_ name: String) { description = name }

        /// A setting is unknown, missing or contradicts another.
        public static let configuration = Code("configuration")
        /// A declaration is inconsistent or does not fit the database.
        public static let declaration = Code("declaration")
        /// The database can't be reached, or the connection to it was lost.
        public static let databaseUnavailable = Code("database_unavailable")
        /// The database refused a statement.
        public static let statement = Code("statement")
        /// A statement broke a constraint: unique, foreign key, not null, check.
        public static let constraint = Code("constraint")
        /// The transaction must be retried: deadlock, serialization failure, busy.
        public static let transactionConflict = Code("transaction_conflict")
        /// A statement exceeded its timeout or was cancelled.
        public static let timeout = Code("timeout")
        /// A value does not have the requested type.
        public static let typeMismatch = Code("type_mismatch")
        /// The broker can't be reached or does not answer.
        public static let brokerUnavailable = Code("broker_unavailable")
        /// The broker is reachable but rejects this client: its credentials, certificates or permissions are wrong.
        public static let accessDenied = Code("access_denied")
        /// The broker does not allow this client to write to the topic.
        public static let topicDenied = Code("topic_denied")
        /// The broker refused one message.
        public static let messageRejected = Code("message_rejected")
        /// The topic or partition does not exist.
        public static let unknownTopic = Code("unknown_topic")
        /// A stored offset is no longer, or not yet, in the log.
        public static let offsetOutOfRange = Code("offset_out_of_range")
        /// Input does not have the expected format.
        public static let malformed = Code("malformed")
        /// A message has a version or time in the future.
        public static let aheadOfClock = Code("ahead_of_clock")
        /// A filter rejected an event.
        public static let filtered = Code("filtered")
        /// A serializer or another part of the application failed.
        public static let application = Code("application")
        /// Another process or member holds the requested resource.
        public static let conflict = Code("conflict")
        /// Something requested by name or id does not exist.
        public static let notFound = Code("not_found")
        /// The replica of a model can't be read or written, whatever the message.
        public static let replicaUnavailable = Code("replica_unavailable")
        /// The object has been closed.
        public static let closed = Code("closed")
    }

    /// The kind of failure.
    public var code: Code
    /// What happened, and where.
    public var message: String
    /// What to do about it, if known.
    public var advice: String?
    /// Whether a later retry may succeed without intervention.
    public var isRetriable: Bool
    /// Whether the database refuses the statement whatever its values: a table, a column or a privilege is missing, or
    /// the database is read-only.
    ///
    /// The same statement succeeds once that is fixed.
    public var isRefusalOfAll = false
    /// The underlying error.
    public var underlying: (any Error)?

    /// Creates an error.
    /// - Parameters:
    ///   - code: What kind of error it is.
    ///   - message: What happened, and where. It shows no payloads, SQL values or secrets.
    ///   - advice: What to do about it; nil if there is nothing to say.
    ///   - isRetriable: Whether a later retry may succeed without intervention.
    ///   - underlying: The error that caused it.
    public init(
        _ code: Code,
        _ message: String,
        advice: String? = nil,
        isRetriable: Bool = false,
        underlying: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.advice = advice
        self.isRetriable = isRetriable
        self.underlying = underlying
    }

    public var description: String {
        guard let advice else { return message }
        return "\(message): \(advice)"
    }

    public var debugDescription: String {
        guard let underlying else { return "[\(code)] \(description)" }
        return "[\(code)] \(description) (\(String(reflecting: underlying)))"
    }
}
