import Dionysus

extension DatabaseConformance {
    static let catalogueChecks: [Check] = [
        Check("A table is described: columns, types, keys and defaults") { trial in
            let dialect = trial.dialect
            let columns: [SQL] =
                [
                    dialect.column("id", .identity),
                    "\(dialect.column("account_id", .bigint)) NOT NULL",
                    "\(dialect.column("name", .text)) DEFAULT 'none'",
                    dialect.column("price", .decimal(precision: 10, scale: 2)),
                    dialect.column("is_open", .boolean),
                    dialect.column("factor", .double),
                    dialect.column("settings", .json),
                    dialect.column("content", .bytes),
                    "\(dialect.column("total", .bigint)) GENERATED ALWAYS AS (account_id + 1) STORED",
                    "UNIQUE (account_id, name)",
                ]
            try await trial.withTable(columns.joined(separator: ", ")) { table in
                let index = DatabaseTrial.freshName("partial")
                try await trial.run(
                    "CREATE UNIQUE INDEX \(identifier: index) ON \(identifier: table) (name) WHERE name <> 'none'"
                )
                let described = try await trial.database.transaction(.snapshot) { try $0.describe(table: table) }
                guard let described else {
                    throw ConformanceFailure(expected: "a description", actual: "there was none")
                }
                try expectEqual(described.name, table, "the name")
                try expectEqual(
                    described.columns.map(\.name),
                    [
                        "id", "account_id", "name", "price", "is_open", "factor", "settings", "content", "total",
                    ],
                    "the columns"
                )
                try expectEqual(
                    described.columns.map(\.type),
                    [.integer, .integer, .text, .decimal, .bool, .double, .json, .bytes, .integer],
                    "the types"
                )
                try expectEqual(described.primaryKey, ["id"], "the primary key")
                try expectEqual(
                    Set(described.uniqueKeys),
                    [["id"], ["account_id", "name"]],
                    "the unique keys without a condition"
                )
                try expectEqual(
                    described.columns.filter(\.hasDefault).map(\.name).prefix(2),
                    ["id", "name"],
                    "the defaults"
                )
                try expectEqual(described.columns.filter(\.isGenerated).map(\.name), ["total"], "what is computed")
                try expectEqual(described.column("account_id")?.isNullable, false, "whether account_id is nullable")
                try expectEqual(described.column("name")?.isNullable, true, "whether name is nullable")
                try expectEqual(
                    described.column("price")?.declaredType.lowercased(),
                    "numeric(10,2)",
                    "the price's type"
                )
                try expectEqual(described.triggers, [], "the triggers")
                try expectEqual(described.partitions, [], "the partitions")
            }
        },

        Check("A primary key of several columns is described in order") { trial in
            try await trial.withTable("a BIGINT NOT NULL, b TEXT NOT NULL, c BIGINT, PRIMARY KEY (b, a)") { table in
                let described = try await trial.database.transaction(.snapshot) { try $0.describe(table: table) }
                try expectEqual(described?.primaryKey, ["b", "a"], "the primary key")
                try expectEqual(described?.uniqueKeys, [["b", "a"]], "the unique keys")
            }
        },

        Check("A missing table has no description") { trial in
            let described = try await trial.database.transaction(.snapshot) { transaction in
                try transaction.describe(table: "conformance_no_such_table")
            }
            try expect(described == nil, "no description", "there was one")
        },

        Check("A description includes the transaction's own changes") { trial in
            try await trial.withTable("id BIGINT PRIMARY KEY") { table in
                let described = try await trial.database.transaction(.write) { transaction in
                    _ = try transaction.describe(table: table)
                    try transaction.run("ALTER TABLE \(identifier: table) ADD COLUMN name TEXT")
                    return try transaction.describe(table: table)
                }
                try expectEqual(described?.columns.map(\.name), ["id", "name"], "the columns")
            }
        },
    ]
}
