/// Which rows of the outbox are meant.
public struct OutboxFilter: Sendable, Hashable {
    /// In what state rows are.
    public enum Scope: Sendable, Hashable {
        /// All that are not published.
        case unpublished
        /// Those that wait to be published for the first time.
        case pending
        /// Those that have failed and wait for their next attempt.
        case retrying
        /// Those whose last attempt failed: they wait for the next one, or are parked.
        case failed
        /// Those that have failed for the last time.
        case parked
    }

    /// In what state rows are.
    ///
    /// By default not published.
    public var scope: Scope
    /// The full name of their topic; nil for any.
    public var topic: String?
    /// The name of their model; nil for any.
    public var modelName: String?
    /// The primary key of their record, as it was recorded; nil for any.
    public var recordID: String?
    /// The kind of their last error; nil for any.
    public var errorClass: String?
    /// Only those with a higher id, for the next page; nil for the first.
    public var after: Int64?
    /// How many rows at most, those with the lowest ids.
    ///
    /// Default 50.
    public var limit: Int

    /// Creates a filter.
    /// - Parameters:
    ///   - scope: In what state rows are.
    ///   - topic: The full name of their topic; nil for any.
    ///   - modelName: The name of their model; nil for any.
    ///   - limit: How many rows at most.
    public init(scope: Scope = .unpublished, topic: String? = nil, modelName: String? = nil, limit: Int = 50) {
        self.scope = scope
        self.topic = topic
        self.modelName = modelName
        self.limit = limit
    }
}
