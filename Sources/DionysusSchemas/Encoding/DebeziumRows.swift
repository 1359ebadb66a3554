/// How rows that Debezium publishes become records.
public struct DebeziumRows: Sendable, Hashable {
    /// The column that identifies records.
    ///
    /// Default nil: `id`, or the only column of the message's key if the row has no `id`.
    public var key: String?
    /// The types of columns, by their names, for messages without a schema.
    ///
    /// A number that counts days or microseconds doesn't say so without one. Default empty.
    public var columns: [String: DebeziumColumn] = [:]
    /// What tells which of two states of a row is newer.
    ///
    /// Default ``DebeziumOrder/position``.
    public var order = DebeziumOrder.position
    /// What stands in the place of a value that Debezium doesn't know: such a column is left as it is.
    ///
    /// Default `__debezium_unavailable_value`.
    public var unavailableValue = "__debezium_unavailable_value"

    /// Creates the defaults.
    public init() {}
}

/// What a column of a message without a schema holds.
public enum DebeziumColumn: Sendable, Hashable {
    /// A date, as days since 1970.
    case days
    /// A time of day, as milliseconds.
    case timeMilliseconds
    /// A time of day, as microseconds.
    case timeMicroseconds
    /// A time of day, as nanoseconds.
    case timeNanoseconds
    /// A point in time, as milliseconds since 1970.
    case milliseconds
    /// A point in time, as microseconds since 1970.
    case microseconds
    /// A point in time, as nanoseconds since 1970.
    case nanoseconds
    /// A decimal number, as the base64 of its digits: `decimal.handling.mode=precise`.
    case decimal(scale: Int)
    /// A text that is JSON.
    case json
}

/// What tells which of two states of a row is newer.
public enum DebeziumOrder: Sendable, Hashable {
    /// The place in the source's log: PostgreSQL's LSN, MySQL's file and position, Oracle's SCN; where there is none, the
    /// time of the change.
    ///
    /// A source that is restored elsewhere begins its log anew, at a lower place.
    case position
    /// The time of the change at the source.
    ///
    /// It goes on after a restore. Changes that are made while a snapshot is taken may have an earlier time than the rows of
    /// the snapshot, and are lost then.
    case time
    /// Nothing but the order of messages, and the times in the rows.
    case none
}
