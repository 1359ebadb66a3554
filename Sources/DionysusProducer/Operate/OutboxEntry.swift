public import Dionysus

/// A row of the outbox for operators: what changed, where it goes, and how publishing it went.
///
/// It has no value of the record, only the names of what changed.
public struct OutboxEntry: Sendable, Hashable {
    /// How far a row is.
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// It waits to be published for the first time, or behind another row.
        case pending
        /// It has failed and waits for its next attempt, or is due for it.
        case retrying
        /// It has failed for the last time and is tried again only if it is asked for.
        case parked
        /// It has been published, or settled with a note that says why nothing was sent.
        case published
    }

    /// The row's id, which gives the order of a record's rows.
    public let id: Int64
    /// The model's name on the wire.
    public let modelName: String
    /// The record's primary key.
    public let recordID: String
    /// The event's name as it was recorded: `rental_updated`.
    public let eventName: String
    /// The topic's full name, or `__outbox_observer__` for a change that others are computed from.
    public let topic: String
    /// The partition key; nil means that the message key decides.
    public let partitionKey: String?
    /// How often the row has been tried without success.
    public let attempts: Int
    /// The names of the columns in its changeset.
    package let changedColumns: [String]
    /// When the change was recorded.
    public let createdAt: Timestamp?
    /// When it was published or settled.
    public let publishedAt: Timestamp?
    /// When it failed last.
    package let failedAt: Timestamp?
    /// When it is due again.
    package let retryAt: Timestamp?
    /// The kind of its last error.
    public let errorClass: String?
    /// Its last error, or, of a row that was settled without a message, why.
    public let errorMessage: String?
    /// What has written the row if it wasn't a change itself.
    package let origin: String?

    /// How far the row is.
    public var state: State {
        if publishedAt != nil { return .published }
        if retryAt != nil { return .retrying }
        return failedAt == nil ? .pending : .parked
    }

    /// The columns in the order in which ``init(_:)`` reads them.
    static let columns = OutboxRow.columns + ["published_at", "failed_at", "retry_at", "error_class", "error_message"]

    init(_ row: Row) throws {
        id = try row.integer(0) ?? 0
        modelName = try row.text(1) ?? ""
        recordID = try row.text(2) ?? ""
        eventName = try row.text(3) ?? ""
        topic = try row.text(4) ?? ""
        partitionKey = try row.text(5)
        attempts = Int(try row.integer(6) ?? 0)
        changedColumns = Self.names(in: try row.text(7))
        createdAt = try row.timestamp(8)
        publishedAt = try row.timestamp(9)
        failedAt = try row.timestamp(10)
        retryAt = try row.timestamp(11)
        errorClass = try row.text(12)
        errorMessage = try row.text(13)
        origin = try row.text(14)
    }

    /// An encrypted changeset is no object and shows nothing.
    private static func names(in changeset: String?) -> [String] {
        guard let changeset, case .object(let object)? = try? JSON(parsing: Array(changeset.utf8)) else { return [] }
        return object.members.map(\.name)
    }
}
