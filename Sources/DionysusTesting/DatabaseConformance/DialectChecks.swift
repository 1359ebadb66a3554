import Dionysus

extension DatabaseConformance {
    static let dialectChecks: [Check] = [
        Check("A text's lane is the same number every time, and texts are spread over all lanes") { trial in
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

        Check("The lane can stand in an index") { trial in
            try await trial.withTable("id BIGINT PRIMARY KEY, name TEXT") { table in
                let lane = trial.dialect.laneExpression("name", lanes: 8)
                let index = DatabaseTrial.freshName("lanes")
                try await trial.run("CREATE INDEX \(identifier: index) ON \(identifier: table) (\(raw: lane), id)")
                try await trial.run("INSERT INTO \(identifier: table) VALUES (1, 'a'), (2, NULL)")
            }
        },

        Check("The clock's time is a time, and goes on within a transaction") { trial in
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

        Check("A transaction's lock is given back with it") { trial in
            for _ in 0..<3 {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<8 {
                        group.addTask {
                            _ = try await trial.database.transaction(.write) { transaction in
                                try transaction.run(
                                    transaction.dialect.transactionLock("conformance", shared: number.isMultiple(of: 2))
                                )
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
        },
    ]
}
