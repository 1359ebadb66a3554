import Dionysus

extension DatabaseConformance {
    static let errorChecks: [Check] = [
        Check("A violated constraint is reported without the values") { trial in
            try await trial.withTable("id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE") { table in
                let secret = "secret-4711"
                try await trial.run("INSERT INTO \(identifier: table) VALUES (1, \(secret))")
                let refused: [SQL] = [
                    "INSERT INTO \(identifier: table) VALUES (2, \(secret))",
                    "INSERT INTO \(identifier: table) (id, name) VALUES (3, \(DatabaseValue.null))",
                    "INSERT INTO \(identifier: table) VALUES (1, 'other')",
                ]
                for statement in refused {
                    let error = try await trial.expectFailure(code: .constraint, "the statement") {
                        try await trial.run(statement)
                    }
                    try expect(!error.isRetriable, "a permanent error", "it is retriable")
                    try expect(!"\(error)".contains(secret), "no value in the message", "it is: \(error)")
                }
                try expectEqual(try await trial.count(table), 1, "the number of rows")
            }
        },

        Check("A foreign key is watched") { trial in
            try await trial.withTable("id BIGINT PRIMARY KEY") { parent in
                let columns: SQL = "id BIGINT PRIMARY KEY, parent_id BIGINT REFERENCES \(identifier: parent) (id)"
                try await trial.withTable(columns) { child in
                    _ = try await trial.expectFailure(code: .constraint, "a child without its parent") {
                        try await trial.run("INSERT INTO \(identifier: child) VALUES (1, 7)")
                    }
                }
            }
        },

        Check("An invalid statement is reported, and the database remains usable") { trial in
            for wrong in ["SELEC 1", "SELECT * FROM conformance_no_such_table", "SELECT no_such_column"] {
                let error = try await trial.expectFailure(code: .statement, "the statement") {
                    try await trial.run(SQL(raw: wrong))
                }
                try expect(!error.isRetriable, "a permanent error", "it is retriable")
            }
            try expectEqual(try await trial.run("SELECT 1").first?.integer(0), 1, "the answer")
        },

        Check("The statements after a failed one don't run, and none is committed") { trial in
            try await trial.withTable("id BIGINT PRIMARY KEY") { table in
                _ = try await trial.expectFailure(code: .constraint, "the second statement") {
                    try await trial.database.transaction(.write) { transaction in
                        try transaction.run([
                            "INSERT INTO \(identifier: table) VALUES (1)",
                            "INSERT INTO \(identifier: table) VALUES (1)",
                            "INSERT INTO \(identifier: table) VALUES (2)",
                        ])
                    }
                }
                try expectEqual(try await trial.count(table), 0, "the number of rows")
            }
        },
    ]
}
