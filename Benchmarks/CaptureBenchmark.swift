import Dionysus
import DionysusPostgres
import DionysusProducer

extension Benchmark {
    /// The cost of capture for an insert in its own transaction.
    static let captureInsert = Benchmark(
        name: "capture-insert",
        figures: [
            Figure(name: "single-row insert, not captured", unit: "ms"),
            Figure(name: "the same with a hand-written second insert", unit: "ms"),
            Figure(name: "the same, captured", unit: "ms"),
            Figure(name: "what capture adds, by what the second insert adds", unit: "times", targets: [.atMost(1.5)]),
        ],
        run: {
            try await SourceFixture.with(rentals: 1_000) { fixture in
                try await fixture.addTwins()
                let medians = try await insertAlternately(fixture.database)
                let (plain, byHand, captured) = (medians[0], medians[1], medians[2])
                return [plain, byHand, captured, (captured - plain) / (byHand - plain)]
            }
        }
    )

    /// The cost of capture for a bulk update.
    static let captureBulk = Benchmark(
        name: "capture-bulk",
        figures: [
            Figure(name: "UPDATE of 1,000,000 rows, not captured", unit: "ms"),
            Figure(name: "inserting 1,000,000 rows into the outbox", unit: "ms"),
            Figure(name: "the same UPDATE, captured", unit: "ms"),
            Figure(name: "captured, by not captured", unit: "times", targets: [.atMost(3)]),
        ],
        run: {
            try await SourceFixture.with(rentals: 1_000_000) { fixture in
                try await fixture.addTwins()
                let plain = try await fixture.time("UPDATE rentals_plain SET price = price + 1")
                let captured = try await fixture.time("UPDATE rentals SET price = price + 1")
                try await fixture.run("TRUNCATE dionysus_outboxes")
                let insert = try await fixture.time(
                    """
                    INSERT INTO dionysus_outboxes
                      (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at)
                    SELECT 'Rental', id::text, 'rental_updated', 'v3_rentals', account_id::text, now(), now()
                    FROM rentals_plain
                    """
                )
                return [plain, insert, captured, captured / plain]
            }
        }
    )
}

extension Benchmark {
    /// The cost of capture for a bulk update of a table with many columns, of which the model reads a few.
    static let growthWideCapture = wideCapture("growth-wide-capture") { try await shareOfCapture(moreColumns: $0) }

    /// The same in SQLite.
    static let growthWideCaptureSQLite = wideCapture("growth-sqlite-wide-capture") {
        try await shareOfCaptureSQLite(moreColumns: $0)
    }

    private static func wideCapture(
        _ name: String,
        _ share: @escaping @Sendable (_ moreColumns: Int) async throws -> Double
    ) -> Benchmark {
        Benchmark(
            name: name,
            figures: [
                Figure(name: "UPDATE of 200,000 rows of 9 columns, captured by not captured", unit: "times"),
                Figure(name: "the same of 200 columns, of which the model reads 9", unit: "times"),
                Figure(name: "large by small", unit: "times", targets: [.atMost(1.1)]),
            ],
            run: {
                let (small, large) = (try await share(0), try await share(191))
                return [small, large, large / small]
            }
        )
    }

    /// The time of a captured update of all rentals relative to an uncaptured one.
    private static func shareOfCapture(moreColumns count: Int) async throws -> Double {
        try await SourceFixture.with(rentals: 200_000, capture: false) { fixture in
            if count > 0 {
                // A default that isn't constant is written into every row.
                let columns = (1...count)
                    .map { number -> SQL in
                        number.isMultiple(of: 2)
                            ? "ADD COLUMN extra_\(raw: "\(number)") int NOT NULL DEFAULT (random() * 1000)::int"
                            : "ADD COLUMN extra_\(raw: "\(number)") text NOT NULL DEFAULT 'number ' || (random() * 1000)::int"
                    }
                try await fixture.run("ALTER TABLE rentals \(columns.joined(separator: ", "))")
            }
            try await OutboxSchema(database: fixture.database, registry: fixture.registry)
                .migrate(lanes: fixture.settings.lanes)
            try await fixture.addTwins()
            var shares: [Double] = []
            for _ in 0..<3 {
                let plain = try await fixture.time("UPDATE rentals_plain SET price = price + 1")
                let captured = try await fixture.time("UPDATE rentals SET price = price + 1")
                shares.append(captured / plain)
                try await fixture.run("TRUNCATE dionysus_outboxes")
                try await fixture.database.outsideTransaction("VACUUM rentals_plain")
                try await fixture.database.outsideTransaction("VACUUM rentals")
            }
            return shares.median
        }
    }
}

extension Benchmark {
    /// The same for a table in SQLite.
    private static func shareOfCaptureSQLite(moreColumns count: Int) async throws -> Double {
        try await SQLiteFixture.with(rentals: 200_000) { fixture in
            if count > 0 {
                for number in 1...count {
                    let type: SQL = number.isMultiple(of: 2) ? "int NOT NULL DEFAULT 0" : "text NOT NULL DEFAULT ''"
                    try await fixture.run("ALTER TABLE rentals ADD COLUMN extra_\(raw: "\(number)") \(type)")
                }
                let values = (1...count)
                    .map { number -> SQL in
                        let value: SQL = number.isMultiple(of: 2) ? "random() % 1000" : "'number ' || random() % 1000"
                        return "extra_\(raw: "\(number)") = \(value)"
                    }
                try await fixture.run("UPDATE rentals SET \(values.joined(separator: ", "))")
            }
            try await fixture.run(
                "CREATE TABLE rentals_plain AS SELECT * FROM rentals",
                "DELETE FROM dionysus_outboxes"
            )
            var shares: [Double] = []
            for _ in 0..<3 {
                let plain = try await fixture.time("UPDATE rentals_plain SET price = price + 1")
                let captured = try await fixture.time("UPDATE rentals SET price = price + 1")
                shares.append(captured / plain)
                try await fixture.run("DELETE FROM dionysus_outboxes")
            }
            return shares.median
        }
    }
}

extension SQLiteFixture {
    /// The milliseconds that a statement takes.
    fileprivate func time(_ statement: SQL) async throws -> Double {
        seconds(try await ContinuousClock().measure { try await run(statement) }) * 1_000
    }
}

extension SourceFixture {
    /// Adds copies of the captured table that are not captured.
    fileprivate func addTwins() async throws {
        for twin in ["rentals_plain", "rentals_by_hand"] {
            try await run("CREATE TABLE \(identifier: twin) (LIKE rentals INCLUDING ALL)")
            try await run("INSERT INTO \(identifier: twin) SELECT * FROM rentals")
        }
        try await database.outsideTransaction("VACUUM ANALYZE")
    }

    /// The milliseconds that a statement takes, after a checkpoint.
    fileprivate func time(_ statement: SQL) async throws -> Double {
        try await database.outsideTransaction("CHECKPOINT")
        return seconds(try await ContinuousClock().measure { try await run(statement) }) * 1_000
    }
}

/// The median times of three kinds of insert, each in its own transaction, in milliseconds: not captured, with a second
/// insert, and captured.
///
/// They alternate, so that other load on the disk and the server affects all three.
private func insertAlternately(_ database: PostgresDatabase) async throws -> [Double] {
    let second: SQL = """
        INSERT INTO dionysus_outboxes
          (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at)
        VALUES ('Rental', currval('rentals_id_seq')::text, 'rental_created', 'v3_rentals', '1', now(), now())
        """
    func insert(into table: String, _ number: Int) -> SQL {
        "INSERT INTO \(identifier: table) (account_id, name, price, bedrooms) VALUES (1, \("Villa \(number)"), 100, 2)"
    }
    var times: [[Double]] = [[], [], []]
    for number in 0..<6_000 {
        let kind = (number + number / 3) % 3
        let statements =
            switch kind {
            case 0: [insert(into: "rentals_plain", number)]
            case 1: [insert(into: "rentals_by_hand", number), second]
            default: [insert(into: "rentals", number)]
            }
        let time = try await ContinuousClock()
            .measure { try await database.transaction(.write) { _ = try $0.run(statements) } }
        // The first ones run on a cold server.
        if number >= 300 { times[kind].append(seconds(time) * 1_000) }
    }
    return times.map(\.median)
}
