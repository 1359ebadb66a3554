/// How far an unpublished row of the outbox is.
///
/// In the index of unpublished rows each stage of a lane is a range, so that nobody who looks for rows of one reads those of
/// another.
public enum OutboxStage: Int, Sendable {
    /// The row has yet to be tried.
    case fresh = 0
    /// It has failed and waits for its next attempt.
    case retrying = 1
    /// It has failed and waits for no further attempt.
    case parked = 2

    /// The stage as a number, as the index has it.
    /// - Parameter alias: What stands before the columns, with its dot.
    /// - Returns: SQL that is the same on all databases.
    public static func expression(of alias: String = "") -> String {
        "(CASE WHEN \(alias)retry_at IS NOT NULL THEN 1 WHEN \(alias)failed_at IS NOT NULL THEN 2 ELSE 0 END)"
    }
}
