import Dionysus

extension DatabaseConformance {
    static let dialectChecks: [Check] = [
        Check("A text always has the same lane, and texts are spread over all lanes") { trial in
            let texts = (1...2_000).map { "Rental:\($0)" } + ["", "a", "\u{1}", "👩‍👩‍👧", " "]
            let lanes = 16
            let rows = trial.dialect.rows([BulkColumn("key", .text, texts.map { .text($0) })], alias: "given")
            let lane = trial.dialect.laneExpression("given.key", lanes: lanes)
            let query: SQL = "SELECT \(raw: lane), given.key FROM \(rows)"
            let first = try await trial.run(query).rows.map { try $0.integer(0) }
            let second = try await trial.run(query).rows.map { try $0.integer(0) }
            try expectEqual(first, second, "the lanes")
            try expect(
                first.allSatisfy { $0.map { (0..<Int64(lanes)).contains($0) } ?? false },
                "numbers from 0 up to \(lanes)",
                "there were others"
            )
            let sizes = Dictionary(grouping: first.prefix(2_000)) { $0 }.mapValues(\.count)
            try expectEqual(sizes.count, lanes, "the number of lanes in use")
            try expect(sizes.values.allSatisfy { $0 > 60 }, "no lane below half of its share", "the sizes are \(sizes)")
        },

        Check("The lane can be indexed") { trial in
            try await trial.withTable("id BIGINT PRIMARY KEY, name TEXT") { table in
                let lane = trial.dialect.laneExpression("name", lanes: 8)
                let index = DatabaseTrial.freshName("lanes")
                try await trial.run("CREATE INDEX \(identifier: index) ON \(identifier: table) (\(raw: lane), id)")
                try await trial.run("INSERT INTO \(identifier: table) VALUES (1, 'a'), (2, NULL)")
            }
        },

        Check("The current time is a time, and advances within a transaction") { trial in
            let dialect = trial.dialect
            let row =
                try await trial.run(
                    "SELECT \(dialect.now), \(dialect.now(minus: 90)), \(dialect.asText("12"))"
                )
                .first
            guard let row, let now = try row.timestamp(0), let before = try row.timestamp(1) else {
                throw ConformanceFailure(expected: "two timestamps", actual: "there was none")
            }
            let seconds = Double(now.microseconds - before.microseconds) / 1_000_000
            try expect(abs(seconds - 90) < 5, "90 seconds between them", "there were \(seconds)")
            try expectEqual(row[2], .text("12"), "the number as text")
        },

        Check("A transaction's lock is exclusive, and shared holders exclude exclusive ones") { trial in
            let name = DatabaseTrial.freshName("lock")
            try await trial.withTable("id BIGINT PRIMARY KEY, number BIGINT") { table in
                try await trial.run("INSERT INTO \(identifier: table) VALUES (1, 0), (2, 0)")
                let database = trial.database
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<16 {
                        group.addTask {
                            try await database.exclusively(name) { try Self.count(1, in: table, &$0) }
                            _ = try await Backoff(initial: .milliseconds(10), maximum: .seconds(1))
                                .retrying {
                                    try await database.transaction(.write) { transaction in
                                        let isShared = number.isMultiple(of: 2)
                                        try transaction.runAll(
                                            transaction.dialect.transactionLock("\(name)-shared", shared: isShared)
                                        )
                                        if !isShared { try Self.count(2, in: table, &transaction) }
                                    }
                                }
                        }
                    }
                    try await group.waitForAll()
                }
                let numbers = try await trial.run("SELECT number FROM \(identifier: table) ORDER BY id").rows
                try expectEqual(try numbers.map { try $0.integer(0) }, [16, 8], "the counts")
            }
        },
    ]

    /// Reads a number and writes the next one, which loses updates unless the others wait.
    private static func count(_ id: Int, in table: String, _ transaction: inout Transaction) throws {
        let found = try transaction.run("SELECT number FROM \(identifier: table) WHERE id = \(id)").first
        let next = (try found?.integer(0) ?? 0) + 1
        try transaction.run("UPDATE \(identifier: table) SET number = \(next) WHERE id = \(id)")
    }
}

extension Transaction {
    fileprivate mutating func runAll(_ statements: [SQL]) throws {
        if !statements.isEmpty { try run(statements) }
    }
}
