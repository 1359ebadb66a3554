import Dionysus

/// What a comparison of a replica with its source has found of one row.
struct FoundDifference: Sendable, Hashable {
    let kind: Difference.Kind
    /// The model that the row's table keeps.
    let model: String
    /// The row's id.
    let recordID: String
    /// The columns that differ; empty but for stale rows.
    var columns: [String] = []
    /// The record whose message has shown it: the row's own, or the one that it is a part of.
    let publishedModel: String
    let publishedID: String
    /// How recent what it was compared with is.
    let version: Int64?
}
