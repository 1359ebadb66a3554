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
    private var position: Int64 = 0

    init(outbox: Outbox, database: any CapturingDatabase, age: Duration) {
        self.outbox = outbox
        self.database = database
        self.age = age
    }

    /// Walks on by a bounded number of rows, in one short transaction.
    /// - Parameter isAllowed: Asked within the transaction whether to go on.
    /// - Returns: Whether there may be more to delete.
    mutating func deleteBatch(
        if isAllowed: @escaping @Sendable (inout Transaction) throws -> Bool = { _ in true }
    ) async throws -> Bool {
        let limit = outbox.support.time(shiftedBy: -age.seconds)
        let start = position
        let step = try await database.transaction(.write) { transaction -> (end: Int64, deleted: Int)? in
            guard try isAllowed(&transaction) else { return nil }
            let rows = try transaction.run(
                """
                SELECT id, CASE WHEN created_at < \(limit) THEN 1 ELSE 0 END FROM dionysus_outboxes
                WHERE id > \(start) ORDER BY id LIMIT \(Self.rowsPerTransaction)
                """
            )
            // One row with a time of the future must not end the walk, so the whole batch has to be young.
            guard try rows.rows.contains(where: { try $0.integer(1) == 1 }), let end = try rows.rows.last?.integer(0)
            else { return nil }
            let deletion = try transaction.run(
                "DELETE FROM dionysus_outboxes WHERE id > \(start) AND id <= \(end) AND published_at < \(limit)"
            )
            return (end, deletion.affectedRows)
        }
        guard let step else { return false }
        position = step.end
        deleted += step.deleted
        return true
    }
}
