import Dionysus
import DionysusProducer
import Logging

/// Records per second from a backlog of `rental_updated` in one topic.
struct RelayBenchmark {
    let records: Int
    let broker: any MessageBroker

    func run() async throws -> (records: Double, floor: Double) {
        try await SourceFixture.with(rentals: records) { fixture in
            try await fixture.fillOutbox()
            let relay = RelayService(
                fixture.registry,
                database: fixture.database,
                broker: broker,
                settings: fixture.settings,
                mode: .untilEmpty,
                logger: Logger(label: "bench")
            )
            let spent = try await ContinuousClock().measure { try await relay.run() }
            try await fixture.fillOutbox()
            let floor = try await ContinuousClock().measure { try await statementsAlone(fixture) }
            return (Double(records) / seconds(spent), Double(records) / seconds(floor))
        }
    }

    /// The same statements without Swift in between and without a broker: claim, load, mark, on as many connections
    /// as the relay has workers, each on its share of the rows.
    private func statementsAlone(_ fixture: SourceFixture) async throws {
        let workers = fixture.settings.workers
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<workers {
                group.addTask {
                    var claimed = 1
                    while claimed > 0 {
                        claimed = try await fixture.database.transaction(.write) { transaction in
                            let rows = try transaction.run(
                                """
                                SELECT id, resource_class, resource_id, event_name, topic, partition_key, attempts
                                FROM dionysus_outboxes WHERE published_at IS NULL AND id % \(workers) = \(worker)
                                ORDER BY id LIMIT 2000
                                """
                            )
                            guard !rows.isEmpty else { return 0 }
                            let ids = try rows.rows.map { DatabaseValue.integer(Int64(try $0.text(2) ?? "") ?? 0) }
                            let dialect = transaction.dialect
                            try transaction.run([
                                "SELECT * FROM rentals WHERE \(dialect.isAny("id", of: ids, type: .integer))",
                                """
                                UPDATE dionysus_outboxes SET published_at = now(), updated_at = now()
                                WHERE \(dialect.isAny("id", of: rows.rows.map { $0[0] }, type: .integer))
                                """,
                            ])
                            return rows.count
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
