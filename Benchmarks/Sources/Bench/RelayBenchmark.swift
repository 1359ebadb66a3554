import Dionysus
import DionysusProducer
import Logging

let quiet = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }

extension Benchmark {
    /// Records per second from a backlog of 50,000 `rental_updated` in one topic.
    static let relay = Benchmark(
        name: "relay",
        figures: [
            Figure(name: "backlog of 50,000 rental_updated, one topic, one process", unit: "records/s"),
            Figure(name: "floor: claim, load and mark alone", unit: "records/s"),
        ],
        run: {
            let records = 50_000
            return try await SourceFixture.with(rentals: records) { fixture in
                try await fixture.fillOutbox()
                let spent = try await withKafka { broker in
                    try await ContinuousClock().measure { try await fixture.relay(to: broker) }
                }
                try await fixture.fillOutbox()
                let floor = try await ContinuousClock().measure { try await statementsAlone(fixture) }
                return [Double(records) / seconds(spent), Double(records) / seconds(floor)]
            }
        }
    )
}

/// The same statements without anything between them, on as many connections as the relay has workers.
private func statementsAlone(_ fixture: SourceFixture) async throws {
    let workers = fixture.settings.workers
    let size = fixture.settings.batchSize
    try await withThrowingTaskGroup(of: Void.self) { group in
        for worker in 0..<workers {
            group.addTask {
                var claimed = 1
                while claimed > 0 { claimed = try await publishNothing(fixture, worker, of: workers, size) }
            }
        }
        try await group.waitForAll()
    }
}

private func publishNothing(_ fixture: SourceFixture, _ worker: Int, of workers: Int, _ size: Int) async throws -> Int {
    try await fixture.database.transaction(.write) { transaction in
        let rows = try transaction.run(
            """
            SELECT id, resource_class, resource_id, event_name, topic, partition_key, attempts, changeset, created_at
            FROM dionysus_outboxes WHERE published_at IS NULL AND id % \(workers) = \(worker) ORDER BY id LIMIT \(size)
            """
        )
        guard !rows.isEmpty else { return 0 }
        let ids = try rows.rows.map { DatabaseValue.integer(Int64(try $0.text(2) ?? "") ?? 0) }
        let isRental = transaction.dialect.isAny("id", of: ids, type: .integer)
        let isRow = transaction.dialect.isAny("id", of: rows.rows.map { $0[0] }, type: .integer)
        try transaction.run([
            "SELECT * FROM rentals WHERE \(isRental)",
            "SELECT * FROM accounts WHERE id IN (SELECT account_id FROM rentals WHERE \(isRental))",
            "UPDATE dionysus_outboxes SET published_at = now(), updated_at = now() WHERE \(isRow)",
        ])
        return rows.count
    }
}
