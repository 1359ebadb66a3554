import Dionysus
import Dispatch

extension DatabaseConformance {
    static let transactionChecks: [Check] = [
        Check("A transaction's writes are committed when it has returned") { trial in
            try await trial.withTable("id BIGINT PRIMARY KEY") { table in
                let value = try await trial.database.transaction(.write) { transaction in
                    try transaction.run("INSERT INTO \(identifier: table) VALUES (1)")
                    return "returned"
                }
                try expectEqual(value, "returned", "the value")
                let other = try await trial.makeDatabase()
                let count = try await other.transaction(.snapshot) { transaction in
                    try transaction.run("SELECT count(*) FROM \(identifier: table)").first?.integer(0)
                }
                await other.close()
                try expectEqual(count, 1, "the number of rows that another transaction sees")
            }
        },

        Check("A transaction's writes are rolled back if its body throws") { trial in
            try await trial.withTable("id BIGINT PRIMARY KEY") { table in
                do {
                    try await trial.database.transaction(.write) { transaction in
                        try transaction.run("INSERT INTO \(identifier: table) VALUES (1)")
                        throw Interruption()
                    }
                    throw ConformanceFailure(expected: "the body's error", actual: "the transaction returned")
                } catch is Interruption {
                    try expectEqual(try await trial.count(table), 0, "the number of rows")
                }
            }
        },

        Check("A transaction without statements succeeds") { trial in
            let value = try await trial.database.transaction(.write) { _ in 42 }
            try expectEqual(value, 42, "the value")
        },

        Check("A savepoint that fails is rolled back, and the rest is kept") { trial in
            try await trial.withTable("id BIGINT PRIMARY KEY") { table in
                let insert: @Sendable (Int) -> SQL = { "INSERT INTO \(identifier: table) VALUES (\($0))" }
                try await trial.database.transaction(.write) { transaction in
                    try transaction.run(insert(1))
                    for number in [2, 1, 3] {
                        do {
                            try transaction.savepoint { part in
                                try part.run(insert(number + 10))
                                try part.run(insert(number))
                                try part.savepoint { _ = try $0.run(insert(number + 20)) }
                            }
                        } catch let error as DionysusError where error.code == .constraint {
                            continue
                        }
                    }
                    try transaction.run(insert(4))
                }
                let ids = try await trial.run("SELECT id FROM \(identifier: table) ORDER BY id")
                try expectEqual(try ids.rows.map { try $0.integer(0) }, [1, 2, 3, 4, 12, 13, 22, 23], "the ids")
            }
        },

        Check("A snapshot sees one state, whatever is committed meanwhile") { trial in
            try await trial.withTable("id BIGINT PRIMARY KEY") { table in
                try await trial.run("INSERT INTO \(identifier: table) VALUES (1)")
                let count: SQL = "SELECT count(*) FROM \(identifier: table)"
                let (arrivals, arrival) = AsyncStream<Void>.makeStream()
                let mayGoOn = DispatchSemaphore(value: 0)
                async let counts = {
                    defer { arrival.finish() }
                    return try await trial.database.transaction(.snapshot) { transaction in
                        let before = try transaction.run(count).first?.integer(0)
                        arrival.yield()
                        mayGoOn.wait()
                        return [before, try transaction.run(count).first?.integer(0)]
                    }
                }()
                for await _ in arrivals {
                    defer { mayGoOn.signal() }
                    try await trial.run("INSERT INTO \(identifier: table) VALUES (2)")
                }
                try expectEqual(try await counts, [1, 1], "what the snapshot counted")
                try expectEqual(try await trial.count(table), 2, "what is counted afterwards")
            }
        },

        Check("A snapshot can't be written to") { trial in
            try await trial.withTable("id BIGINT PRIMARY KEY") { table in
                _ = try await trial.expectFailure(code: .statement, "an insert into a snapshot") {
                    try await trial.database.transaction(.snapshot) { transaction in
                        try transaction.run("INSERT INTO \(identifier: table) VALUES (1)")
                    }
                }
                try expectEqual(try await trial.count(table), 0, "the number of rows")
            }
        },

        Check("Many concurrent transactions all take effect") { trial in
            try await trial.withTable("id BIGINT PRIMARY KEY, n BIGINT NOT NULL") { table in
                try await trial.run("INSERT INTO \(identifier: table) VALUES (1, 0)")
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<100 {
                        group.addTask {
                            let reads = number.isMultiple(of: 4)
                            let read: SQL = "SELECT n FROM \(identifier: table) WHERE id = \(1)"
                            let write: SQL = "UPDATE \(identifier: table) SET n = n + 1 WHERE id = \(1)"
                            _ = try await trial.database.transaction(reads ? .snapshot : .write) { transaction in
                                try transaction.run(reads ? read : write)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                let total = try await trial.run("SELECT n FROM \(identifier: table)").first?.integer(0)
                try expectEqual(total, 75, "the count")
            }
        },

        Check("A closed database refuses transactions") { trial in
            let database = try await trial.makeDatabase()
            _ = try await database.transaction(.snapshot) { try $0.run("SELECT 1") }
            await database.close()
            for kind in [TransactionKind.write, .snapshot] {
                _ = try await trial.expectFailure(code: .closed, "a transaction after the end") {
                    try await database.transaction(kind) { try $0.run("SELECT 1") }
                }
            }
        },
    ]
}

private struct Interruption: Error {}
