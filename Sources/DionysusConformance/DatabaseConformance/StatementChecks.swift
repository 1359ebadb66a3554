import Dionysus

extension DatabaseConformance {
    static let statementChecks: [Check] = [
        Check("Several statements return one result each, in order") { trial in
            try await trial.withTable("id BIGINT PRIMARY KEY, name TEXT") { table in
                let results = try await trial.database.transaction(.write) { transaction in
                    try transaction.run([
                        "INSERT INTO \(identifier: table) (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c')",
                        "SELECT name, id FROM \(identifier: table) WHERE id > \(1) ORDER BY id",
                        "UPDATE \(identifier: table) SET name = \("d") WHERE id > \(7)",
                        "DELETE FROM \(identifier: table) WHERE id < \(3)",
                    ])
                }
                try expectEqual(results.count, 4, "the number of results")
                try expectEqual(results.map(\.affectedRows), [3, 2, 0, 2], "the affected rows")
                try expectEqual(results[1].columns, ["name", "id"], "the columns")
                try expectEqual(try results[1].rows.map { try $0.text(0) }, ["b", "c"], "the names")
                try expectEqual(try results[1].rows.map { try $0.integer(1) }, [2, 3], "the ids")
            }
        },

        Check("A query without rows has columns") { trial in
            try await trial.withTable("id BIGINT PRIMARY KEY, name TEXT") { table in
                let result = try await trial.run("SELECT id, name FROM \(identifier: table)")
                try expectEqual(result.columns, ["id", "name"], "the columns")
                try expect(result.isEmpty && result.first == nil, "no row", "there were \(result.count)")
                try expectEqual(result.affectedRows, 0, "the affected rows")
            }
        },

        Check("A writing statement can return rows") { trial in
            try await trial.withTable("\(trial.dialect.column("id", .identity)), name TEXT") { table in
                let first = try await trial.run(
                    "INSERT INTO \(identifier: table) (name) VALUES ('a'), ('b') RETURNING id, name"
                )
                try expectEqual(first.affectedRows, 2, "the affected rows")
                try expectEqual(try first.rows.map { try $0.text(1) }, ["a", "b"], "the names")
                let none = try await trial.run(
                    "UPDATE \(identifier: table) SET name = 'c' WHERE name = 'z' RETURNING id"
                )
                try expectEqual(none.affectedRows, 0, "the affected rows of an update that finds nothing")
            }
        },

        Check("Generated keys are never reused") { trial in
            try await trial.withTable("\(trial.dialect.column("id", .identity)), name TEXT") { table in
                let insert: SQL = "INSERT INTO \(identifier: table) (name) VALUES ('a') RETURNING id"
                let first = try await trial.run(insert).first?.integer(0) ?? 0
                try await trial.run("DELETE FROM \(identifier: table)")
                let second = try await trial.run(insert).first?.integer(0) ?? 0
                try expect(second > first, "a key above \(first)", "it was \(second)")
            }
        },

        Check("Names with quotes, spaces and keywords are quoted") { trial in
            let names = ["select", "Mixed Case", "q\"uote", "semi;colon", "it's", "ünï", "--", "$1", "?1"]
            let columns = names.map { trial.dialect.column($0, .text) }.joined(separator: ", ")
            try await trial.withTable(columns, named: DatabaseTrial.freshName("we\"ird 'table'; --")) { table in
                let list = names.map { "\(identifier: $0)" as SQL }.joined(separator: ", ")
                let values = names.map { "\($0)" as SQL }.joined(separator: ", ")
                try await trial.run("INSERT INTO \(identifier: table) (\(list)) VALUES (\(values))")
                let read = try await trial.run("SELECT \(list) FROM \(identifier: table)")
                try expectEqual(read.columns, names, "the columns")
                try expectEqual(
                    try names.map { try read.first?[$0].converted(to: .text) },
                    names.map { .text($0) },
                    "the row"
                )
                let described = try await trial.database.transaction(.snapshot) { try $0.describe(table: table) }
                try expectEqual(described?.columns.map(\.name), names, "the described columns")
            }
        },

        Check("A large result is complete") { trial in
            try await trial.withTable("id BIGINT PRIMARY KEY, name TEXT") { table in
                let ids = (0..<20_000).map { DatabaseValue.integer(Int64($0)) }
                let rows = trial.dialect.rows([BulkColumn("id", .integer, ids)], alias: "given")
                let text = String(repeating: "y", count: 200)
                try await trial.run(
                    "INSERT INTO \(identifier: table) (id, name) SELECT given.id, \(text) FROM \(rows)"
                )
                let results = try await trial.database.transaction(.snapshot) { transaction in
                    try transaction.run(
                        (0..<4).map { _ in "SELECT id, name FROM \(identifier: table) ORDER BY id" }
                    )
                }
                for result in results {
                    try expectEqual(result.count, 20_000, "the number of rows")
                    try expectEqual(result[19_999, 0], .integer(19_999), "the last id")
                }
            }
        },
    ]
}
