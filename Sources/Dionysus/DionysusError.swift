/// What went wrong, where, and what to do about it.
///
/// The description is safe to log: it shows no payload, no SQL value and no secret. The underlying
/// error, which may, is only part of ``debugDescription``.
public struct DionysusError: Error, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// The kind of failure, for programs to tell one from another.
    ///
    /// More codes may be added; match the ones you handle and keep a default.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The stable name of the code.
        public let description: String

        /// Creates a code.
        public init(_ name: String) { description = name }

        /// A setting is unknown, missing or contradicts another.
        public static let configuration = Code("configuration")
        /// A declaration does not fit itself or the database.
        public static let declaration = Code("declaration")
        /// The database can't be reached, or the connection to it was lost.
        public static let databaseUnavailable = Code("database_unavailable")
        /// The database refused a statement.
        public static let statement = Code("statement")
        /// A statement broke a constraint: unique, foreign key, not null, check.
        public static let constraint = Code("constraint")
        /// The database asks for the transaction to be run again: deadlock, serialization failure, busy.
        public static let transactionConflict = Code("transaction_conflict")
        /// A statement took longer than the database lets it take, or somebody cancelled it.
        public static let timeout = Code("timeout")
        /// A value does not have the type that was asked for.
        public static let typeMismatch = Code("type_mismatch")
        /// The broker can't be reached or does not answer.
        public static let brokerUnavailable = Code("broker_unavailable")
        /// The broker can be reached and lets this client not in: its credentials, certificates or rights are wrong.
        public static let accessDenied = Code("access_denied")
        /// The broker lets this client not write to the topic.
        public static let topicDenied = Code("topic_denied")
        /// The broker refused one message.
        public static let messageRejected = Code("message_rejected")
        /// The topic or partition does not exist.
        public static let unknownTopic = Code("unknown_topic")
        /// A stored offset is no longer, or not yet, in the log.
        public static let offsetOutOfRange = Code("offset_out_of_range")
        /// Bytes from outside are not the format they should be.
        public static let malformed = Code("malformed")
        /// A message says that it comes from a time that hasn't come yet.
        public static let aheadOfClock = Code("ahead_of_clock")
        /// An event was left out because a filter does not accept it.
        public static let filtered = Code("filtered")
        /// A serializer or another part of the application failed.
        public static let application = Code("application")
        /// Another process or member holds what was asked for.
        public static let conflict = Code("conflict")
        /// Something that was asked for by name or id does not exist.
        public static let notFound = Code("not_found")
        /// The replica of a model can't be read or written, whatever the message.
        public static let replicaUnavailable = Code("replica_unavailable")
        /// The thing has been closed.
        public static let closed = Code("closed")
    }

    /// The kind of failure.
    public var code: Code
    /// What happened, and where.
    public var message: String
    /// What to do about it, if that is known.
    public var advice: String?
    /// Whether doing the same again later may succeed without anybody's help.
    public var isRetriable: Bool
    /// Whether the database refused a statement whatever its values are: a table, a column or a right is missing, or it
    /// takes no writes.
    ///
    /// The same statement succeeds once somebody has mended that.
    public var isRefusalOfAll = false
    /// The error this one was made from.
    public var underlying: (any Error)?

    /// Creates an error.
    /// - Parameters:
    ///   - isRetriable: Whether the same may succeed later without help.
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
