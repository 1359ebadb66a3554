/// The stage of an unpublished outbox row.
///
/// In the index of unpublished rows, each stage of a lane is a range, so a search for one stage never reads rows of
/// another.
package enum OutboxStage: Int, Sendable {
    /// The row has not been tried yet.
    case fresh = 0
    /// The row has failed and waits for its next attempt.
    case retrying = 1
    /// The row has failed and is not retried automatically.
    case parked = 2

    /// The stage as a number, as in the index.
    /// - Parameter alias: The prefix of the columns, including the dot.
    /// - Returns: SQL that is the same on all databases.
    package static func expression(of alias: String = "") -> String {
        "(CASE WHEN \(alias)retry_at IS NOT NULL THEN 1 WHEN \(alias)failed_at IS NOT NULL THEN 2 ELSE 0 END)"
    }
}
