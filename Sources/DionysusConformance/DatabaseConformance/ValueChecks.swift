import Dionysus

extension DatabaseConformance {
    static let valueChecks: [Check] =
        Samples.all.flatMap { samples in
            [
                Check("A value of type \(samples.type) is returned unchanged") { trial in
                    try await trial.withTable(trial.columns(of: samples)) { table in
                        _ = try await trial.database.transaction(.write) { transaction in
                            try transaction.run(
                                samples.values.enumerated()
                                    .map { index, value in
                                        "INSERT INTO \(identifier: table) (id, value) VALUES (\(index), \(value))"
                                    }
                            )
                        }
                        try await trial.expectValues(samples.values, of: samples.type, in: table)
                    }
                },

                Check("A list of type \(samples.type) is written as rows, including nulls") { trial in
                    try await trial.withTable(trial.columns(of: samples)) { table in
                        let values = samples.values + [.null]
                        let rows = trial.dialect.rows(
                            [
                                BulkColumn("number", .integer, values.indices.map { .integer(Int64($0)) }),
                                BulkColumn("sample", samples.type, values),
                            ],
                            alias: "given"
                        )
                        let result = try await trial.run(
                            "INSERT INTO \(identifier: table) (id, value) SELECT given.number, given.sample FROM \(rows)"
                        )
                        try expectEqual(result.affectedRows, values.count, "the number of rows")
                        try await trial.expectValues(values, of: samples.type, in: table)
                    }
                },
            ]
                + (samples.type == .json ? [] : [findingCheck(samples)])
        } + [
            Check("Null is null in a column of any type") { trial in
                for samples in Samples.all {
                    try await trial.withTable(trial.columns(of: samples)) { table in
                        let null = DatabaseValue.null
                        try await trial.run("INSERT INTO \(identifier: table) (id, value) VALUES (1, \(null))")
                        try await trial.expectValues([null], of: samples.type, in: table)
                    }
                }
            },

            Check("Text with a zero byte is stored completely, or refused") { trial in
                let text = DatabaseValue.text("a\0b")
                let rows = trial.dialect.rows([BulkColumn("sample", .text, [text])], alias: "given")
                for source in ["VALUES (1, \(text))", "SELECT 1, given.sample FROM \(rows)"] as [SQL] {
                    try await trial.withTable("id BIGINT PRIMARY KEY, value TEXT") { table in
                        do {
                            try await trial.run("INSERT INTO \(identifier: table) (id, value) \(source)")
                        } catch let error as DionysusError where error.code == .typeMismatch {
                            return
                        }
                        try await trial.expectValues([text], of: .text, in: table)
                    }
                }
            },

            Check("An empty list gives no rows") { trial in
                for samples in Samples.all {
                    try await trial.withTable(trial.columns(of: samples)) { table in
                        let rows = trial.dialect.rows([BulkColumn("sample", samples.type, [])], alias: "given")
                        let result = try await trial.run(
                            "INSERT INTO \(identifier: table) (id, value) SELECT 1, given.sample FROM \(rows)"
                        )
                        try expectEqual(result.affectedRows, 0, "the number of rows")
                        guard samples.type != .json else { return }
                        for isAny in [trial.dialect.isAny, trial.dialect.isAnyKey] {
                            let isListed = isAny("value", [], samples.type)
                            let found = try await trial.run("SELECT id FROM \(identifier: table) WHERE \(isListed)")
                            try expectEqual(found.count, 0, "the number of rows found")
                        }
                    }
                }
            },

            Check("Ten thousand rows of several columns are written by one statement, in order") { trial in
                let columns: SQL =
                    "\(trial.dialect.column("id", .identity)), \(trial.dialect.column("name", .text)), number BIGINT"
                try await trial.withTable(columns) { table in
                    let numbers = (0..<10_000).map { Int64($0) * 922_337_203_685_477 }
                    let rows = trial.dialect.rows(
                        [
                            BulkColumn("number", .integer, numbers.map(DatabaseValue.integer)),
                            BulkColumn("name", .text, numbers.map { .text("row \($0)") }),
                        ],
                        alias: "given"
                    )
                    let result = try await trial.run(
                        "INSERT INTO \(identifier: table) (name, number) SELECT given.name, given.number FROM \(rows)"
                    )
                    try expectEqual(result.affectedRows, 10_000, "the number of rows")
                    let read = try await trial.run("SELECT number, name FROM \(identifier: table) ORDER BY id")
                    try expectEqual(try read.rows.map { try $0.integer(0) }, numbers, "the numbers")
                    try expectEqual(try read.rows.last?.text(1), "row \(numbers[9_999])", "the last name")
                }
            },
        ]

    private static func findingCheck(_ samples: Samples) -> Check {
        Check("Rows are found by a list of type \(samples.type)") { trial in
            try await trial.withTable(trial.columns(of: samples)) { table in
                try await trial.database.transaction(.write) { transaction in
                    for (index, value) in samples.values.enumerated() {
                        try transaction.run(
                            "INSERT INTO \(identifier: table) (id, value) VALUES (\(index), \(value))"
                        )
                    }
                }
                let wanted = samples.values.indices.filter { $0.isMultiple(of: 2) }
                for isAny in [trial.dialect.isAny, trial.dialect.isAnyKey] {
                    let isWanted = isAny("value", wanted.map { samples.values[$0] }, samples.type)
                    let found = try await trial.run("SELECT id FROM \(identifier: table) WHERE \(isWanted) ORDER BY id")
                    try expectEqual(try found.rows.map { try $0.integer(0) }, wanted.map(Int64.init), "the ids found")
                    for value in samples.values {
                        let isWanted = isAny("value", [value], samples.type)
                        let found = try await trial.run("SELECT id FROM \(identifier: table) WHERE \(isWanted)")
                        try expectEqual(found.count, samples.values.count { $0 == value }, "the number of rows found")
                    }
                }
            }
        }
    }
}

extension DatabaseTrial {
    fileprivate func columns(of samples: Samples) -> SQL {
        "\(dialect.column("id", .bigint)) PRIMARY KEY, \(dialect.column("value", samples.column))"
    }

    fileprivate func expectValues(_ expected: [DatabaseValue], of type: DatabaseType, in table: String) async throws {
        let read = try await run("SELECT value FROM \(identifier: table) ORDER BY id")
        try expectEqual(read.count, expected.count, "the number of rows")
        for (row, value) in zip(read.rows, expected) {
            try expectEqual(
                try Samples.comparable(row[0], as: type),
                try Samples.comparable(value, as: type),
                "the value in row \(row.index)"
            )
        }
    }
}
