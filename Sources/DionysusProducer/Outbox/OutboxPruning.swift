import Dionysus

/// A walk over the outbox from its oldest row on, which deletes what was published longer ago than an age.
///
/// The time of publication has no index. Ids grow with the time of creation, though, and nothing is published before
/// it is created: the walk follows the primary key and ends where rows are younger than the age. Rows that are not
/// published, or were published late, are passed and kept.
struct OutboxPruning {
    private static let rowsPerTransaction = 1_000

    let outbox: Outbox
    let database: any CapturingDatabase
    let age: Duration
    /// How many rows have been deleted.
    private(set) var deleted = 0
    /// Where the walk is.
    private var position: Int64
    /// The lowest id that the walk has met and left.
    private var firstKept: Int64?

    /// - Parameter start: The id behind which the walk begins.
    init(outbox: Outbox, database: any CapturingDatabase, age: Duration, startingAfter start: Int64 = 0) {
        self.outbox = outbox
        self.database = database
        self.age = age
        position = start
    }

    /// Up to where nothing is left: a later walk can begin here and needn't pass again what this one has deleted, which
    /// costs as much as rows as long as an old snapshot keeps it from being cleaned up.
    var end: Int64 { firstKept.map { $0 - 1 } ?? position }

    /// Walks on by a bounded number of rows, in one short transaction.
    /// - Parameter isAllowed: Asked within the transaction whether to go on.
    /// - Returns: Whether there may be more to delete.
    mutating func deleteBatch(
        if isAllowed: @escaping @Sendable (inout Transaction) throws -> Bool = { _ in true }
    ) async throws -> Bool {
        let (table, dialect) = (outbox.tables.outbox, outbox.dialect)
        let limit = dialect.comparableTime(outbox.support.time(shiftedBy: -age.inSeconds))
        // Another program may write times in another form.
        @Sendable func isOld(_ column: String) -> SQL { "\(dialect.comparableTime(SQL(raw: column))) < \(limit)" }
        let start = position
        let step = try await database.transaction(.write) { transaction -> Step? in
            guard try isAllowed(&transaction) else { return nil }
            let rows =
                try transaction.run(
                    """
                    SELECT id, CASE WHEN \(isOld("created_at")) THEN 1 ELSE 0 END,
                      CASE WHEN \(isOld("published_at")) THEN 1 ELSE 0 END
                    FROM \(table) WHERE id > \(start) ORDER BY id LIMIT \(Self.rowsPerTransaction)
                    """
                )
                .rows
            // One row with a time of the future must not end the walk, so the whole batch has to be young.
            guard try rows.contains(where: { try $0.integer(1) == 1 }), let end = try rows.last?.integer(0) else {
                return nil
            }
            let deletion = try transaction.run(
                "DELETE FROM \(table) WHERE id > \(start) AND id <= \(end) AND \(isOld("published_at"))"
            )
            let kept = try rows.first { try $0.integer(2) == 0 }?.integer(0)
            return Step(end: end, firstKept: kept ?? nil, deleted: deletion.affectedRows)
        }
        guard let step else { return false }
        position = step.end
        firstKept = firstKept ?? step.firstKept
        deleted += step.deleted
        return true
    }

    private struct Step: Sendable {
        let end: Int64
        let firstKept: Int64?
        let deleted: Int
    }
}
