import Dionysus
import DionysusPostgres

extension Benchmark {
    /// What capture adds to an insert in its own transaction.
    static let captureInsert = Benchmark(
        name: "capture-insert",
        figures: [
            Figure(name: "single-row insert, not captured", unit: "ms"),
            Figure(name: "the same with a hand-written second insert", unit: "ms"),
            Figure(name: "the same, captured", unit: "ms"),
        ],
        run: {
            let plain = try await SourceFixture.with(rentals: 1_000, capture: false) { fixture in
                try await insert(fixture.database, [])
            }
            return try await SourceFixture.with(rentals: 1_000) { fixture in
                let captured = try await insert(fixture.database, [])
                try await fixture.run("DROP TRIGGER dionysus_capture_insert ON rentals")
                let byHand: SQL = """
                    INSERT INTO dionysus_outboxes
                      (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at)
                    VALUES ('Rental', '1', 'rental_created', 'v3_rentals', '1', now(), now())
                    """
                let handWritten = try await insert(fixture.database, [byHand])
                return [plain, handWritten, captured]
            }
        }
    )

    /// What capture adds to a bulk update.
    static let captureBulk = Benchmark(
        name: "capture-bulk",
        figures: [
            Figure(name: "UPDATE of 100,000 rows, not captured", unit: "ms"),
            Figure(name: "floor: inserting 100,000 rows into the outbox", unit: "ms"),
            Figure(name: "the same UPDATE, captured", unit: "ms"),
        ],
        run: {
            let rows = 100_000
            let update: SQL = "UPDATE rentals SET price = price + 1"
            let plain = try await SourceFixture.with(rentals: rows, capture: false) { fixture in
                try await ContinuousClock().measure { try await fixture.run(update) }
            }
            return try await SourceFixture.with(rentals: rows) { fixture in
                let captured = try await ContinuousClock().measure { try await fixture.run(update) }
                let floor = try await ContinuousClock()
                    .measure {
                        try await fixture.run(
                            """
                            INSERT INTO dionysus_outboxes
                              (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at)
                            SELECT 'Rental', id::text, 'rental_updated', 'v3_rentals', account_id::text, now(), now()
                            FROM rentals
                            """
                        )
                    }
                return [seconds(plain) * 1_000, seconds(floor) * 1_000, seconds(captured) * 1_000]
            }
        }
    )
}

/// The median time of an insert in its own transaction, with other statements in it, in milliseconds.
private func insert(_ database: PostgresDatabase, _ others: [SQL]) async throws -> Double {
    var times: [Double] = []
    for number in 0..<1_000 {
        let statements: [SQL] =
            ["INSERT INTO rentals (account_id, name, price, bedrooms) VALUES (1, \("Villa \(number)"), 100, 2)"]
            + others
        let time = try await ContinuousClock()
            .measure {
                try await database.transaction(.write) { _ = try $0.run(statements) }
            }
        times.append(seconds(time) * 1_000)
    }
    return times.sorted()[times.count / 2]
}
