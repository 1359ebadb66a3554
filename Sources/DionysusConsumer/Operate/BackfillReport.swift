import Dionysus

/// The progress of a backfill.
public struct BackfillReport: Sendable, Hashable {
    /// The replica's table.
    package let table: String
    /// The columns, in the order of their names.
    package let columns: [String]
    /// How many rows it has looked at.
    public internal(set) var examined = 0
    /// How many rows it has changed; others had the value already.
    public internal(set) var assigned = 0
    /// How many rows keep a payload that lacks one of the columns' attributes, or none at all.
    public internal(set) var absent = 0
    /// How many rows have a value that does not fit a column, or that the database refuses.
    public internal(set) var refused = 0
    /// The ids, as the source has them, of the first ten rows that were refused.
    public internal(set) var refusedIDs: [String] = []
    /// Whether it has reached the end.
    public internal(set) var isFinished = false

    static let maximumRefusedIDs = 10
}
