import Dionysus

/// A relay's statements alone: claim, load, and mark or delete.
struct RelayFloor {
    private let database: any Database
    private let batchSize: Int
    /// The number of concurrent connections.
    private let connections: Int
    /// Whether rows are deleted instead of marked.
    private let deletes: Bool

    init(_ fixture: SourceFixture, connections: Int) {
        database = fixture.database
        batchSize = fixture.settings.batchSize
        self.connections = connections
        deletes = fixture.settings.deletesPublishedRows
    }

    init(_ database: any Database, batchSize: Int) {
        self.database = database
        self.batchSize = batchSize
        connections = 1
        deletes = false
    }

    /// Empties the outbox.
    /// - Returns: The duration.
    func run() async throws -> Duration {
        try await ContinuousClock()
            .measure {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<connections {
                        group.addTask { while try await settleBatch(ofPart: number) > 0 {} }
                    }
                    try await group.waitForAll()
                }
            }
    }

    private func settleBatch(ofPart number: Int) async throws -> Int {
        try await database.transaction(.write) { [batchSize, connections, deletes] transaction in
            let rows = try transaction.run(
                """
                SELECT id, resource_class, resource_id, event_name, topic, partition_key, attempts, changeset, created_at
                FROM dionysus_outboxes WHERE published_at IS NULL AND id % \(connections) = \(number)
                ORDER BY id LIMIT \(batchSize)
                """
            )
            guard !rows.isEmpty else { return 0 }
            let dialect = transaction.dialect
            let ids = try rows.rows.map { DatabaseValue.integer(Int64(try $0.text(2) ?? "") ?? 0) }
            let isRental = dialect.isAny("id", of: ids, type: .integer)
            let isRow = dialect.isAny("id", of: rows.rows.map { $0[0] }, type: .integer)
            try transaction.run([
                "SELECT * FROM rentals WHERE \(isRental)",
                "SELECT * FROM accounts WHERE id IN (SELECT account_id FROM rentals WHERE \(isRental))",
                deletes
                    ? "DELETE FROM dionysus_outboxes WHERE \(isRow)"
                    : "UPDATE dionysus_outboxes SET published_at = \(dialect.now), updated_at = \(dialect.now) WHERE \(isRow)",
            ])
            return rows.count
        }
    }
}
