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

                Check("A row of a value of type \(samples.type) and a long text is written by itself") { trial in
                    try await trial.withTable("\(trial.columns(of: samples)), long TEXT") { table in
                        let values = samples.values + [.null]
                        for (index, value) in values.enumerated() {
                            let row = trial.dialect.rows(
                                [
                                    BulkColumn("number", .integer, [.integer(Int64(index))]),
                                    BulkColumn("sample", samples.type, [value]),
                                    BulkColumn("long", .text, [.text(longText)]),
                                ],
                                alias: "given"
                            )
                            try await trial.run(
                                """
                                INSERT INTO \(identifier: table) (id, value, long)
                                SELECT given.number, given.sample, given.long FROM \(row)
                                """
                            )
                        }
                        try await trial.expectValues(values, of: samples.type, in: table)
                        let read = try await trial.run("SELECT DISTINCT long FROM \(identifier: table)")
                        try expectEqual(try read.rows.map { try $0.text(0) == longText }, [true], "the long text")
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
                for text in ["a\0b", "a\0b" + longText].map(DatabaseValue.text) {
                    for source in sources(of: text, .text, trial) {
                        try await trial.withTable("id BIGINT PRIMARY KEY, value TEXT") { table in
                            do {
                                try await trial.run("INSERT INTO \(identifier: table) (id, value) \(source)")
                            } catch let error as DionysusError where error.code == .typeMismatch {
                                return
                            }
                            try await trial.expectValues([text], of: .text, in: table)
                        }
                    }
                }
            },

            Check("Long values are returned unchanged") { trial in
                let long: [(ColumnType, DatabaseType, DatabaseValue)] = [
                    (.text, .text, .text(longText)),
                    (.bytes, .bytes, .bytes((0..<500_000).map { UInt8(truncatingIfNeeded: $0) })),
                    (.json, .json, .json(JSON.array([.string(longText), .null]).text)),
                ]
                for (column, type, value) in long {
                    for source in sources(of: value, type, trial) {
                        let columns: SQL =
                            "\(trial.dialect.column("id", .bigint)), \(trial.dialect.column("value", column))"
                        try await trial.withTable(columns) { table in
                            try await trial.run("INSERT INTO \(identifier: table) (id, value) \(source)")
                            try await trial.expectValues([value], of: type, in: table)
                        }
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

    private static let longText = String(repeating: #"long "text" \ ä "#, count: 50_000)

    /// What inserts a row with a value: by itself, and as a list of one.
    private static func sources(of value: DatabaseValue, _ type: DatabaseType, _ trial: DatabaseTrial) -> [SQL] {
        let rows = trial.dialect.rows([BulkColumn("sample", type, [value])], alias: "given")
        return ["VALUES (1, \(value))", "SELECT 1, given.sample FROM \(rows)"]
    }

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
