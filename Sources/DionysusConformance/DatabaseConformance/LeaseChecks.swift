import Dionysus

extension DatabaseConformance {
    static let leaseChecks: [Check] = [
        Check("A lease is exclusive until it is released") { trial in
            try await trial.withLocks { lock in
                let other = try await trial.makeDatabase()
                let lease = try await lock.mustTake(1, on: trial.database)
                try expect(try await lock.take(1, on: trial.database) == nil, "no second lease", "there was one")
                try expect(try await lock.take(1, on: other) == nil, "no second lease elsewhere", "there was one")
                let neighbour = try await lock.mustTake(2, on: other)
                await neighbour.abandon()
                try await lease.release { _ in }
                let next = try await lock.mustTake(1, on: other)
                await next.abandon()
                await other.close()
            }
        },

        Check("Statements under a lease are committed when it is released") { trial in
            try await trial.withLocks { lock in
                let lease = try await lock.mustTake(1, on: trial.database)
                let first = try await lease.perform { transaction in
                    try transaction.run("UPDATE \(identifier: lock.table) SET n = n + 1 WHERE id = 1 RETURNING n")
                        .first?
                        .integer(0)
                }
                try expectEqual(first, 1, "what the first part sees")
                let last = try await lease.release { transaction in
                    try transaction.run("UPDATE \(identifier: lock.table) SET n = n + 10 WHERE id = 1 RETURNING n")
                        .first?
                        .integer(0)
                }
                try expectEqual(last, 11, "what the last part sees")
                let kept = try await trial.run("SELECT n FROM \(identifier: lock.table) WHERE id = 1").first?.integer(0)
                try expectEqual(kept, 11, "what is there afterwards")
            }
        },

        Check("A renewed lease has committed its earlier statements, and is still held or has ended") { trial in
            try await trial.withLocks { lock in
                let lease = try await lock.mustTake(1, on: trial.database)
                let (last, next) = try await lease.renew(
                    ending: ["UPDATE \(identifier: lock.table) SET n = n + 1 WHERE id = 1 RETURNING n"],
                    running: ["SELECT n + 100 FROM \(identifier: lock.table) WHERE id = 1"]
                )
                try expectEqual(try last.first?.first?.integer(0), 1, "what the last part sees")
                let kept = try await trial.run("SELECT n FROM \(identifier: lock.table) WHERE id = 1").first?.integer(0)
                try expectEqual(kept, 1, "what is there while the lease is held on")
                if let next {
                    try expectEqual(try next.first?.first?.integer(0), 101, "what the next part sees")
                    try expect(try await lock.take(1, on: trial.database) == nil, "no second lease", "there was one")
                    await lease.abandon()
                }
                let other = try await lock.mustTake(1, on: trial.database)
                await other.abandon()
                let end = try await trial.run("SELECT n FROM \(identifier: lock.table) WHERE id = 1").first?.integer(0)
                try expectEqual(end, 1, "what is there in the end")
            }
        },

        Check("A lease whose last statements fail can only be abandoned") { trial in
            try await trial.withLocks { lock in
                let lease = try await lock.mustTake(1, on: trial.database)
                _ = try await trial.expectFailure(code: .statement, "an invalid statement") {
                    try await lease.renew(
                        ending: [
                            "UPDATE \(identifier: lock.table) SET n = 1 WHERE id = 1",
                            "SELECT * FROM conformance_no_such_table",
                        ],
                        running: []
                    )
                }
                await lease.abandon()
                let kept = try await trial.run("SELECT n FROM \(identifier: lock.table) WHERE id = 1").first?.integer(0)
                try expectEqual(kept, 0, "what is there afterwards")
                let next = try await lock.mustTake(1, on: trial.database)
                await next.abandon()
            }
        },

        Check("An abandoned lease can be taken again, and abandoning it twice has no effect") { trial in
            try await trial.withLocks { lock in
                let lease = try await lock.mustTake(1, on: trial.database)
                await lease.abandon()
                await lease.abandon()
                let next = try await lock.mustTake(1, on: trial.database)
                await next.abandon()
            }
        },

        Check("A lease that has ended refuses statements") { trial in
            try await trial.withLocks { lock in
                let released = try await lock.mustTake(1, on: trial.database)
                try await released.release { _ in }
                let abandoned = try await lock.mustTake(1, on: trial.database)
                await abandoned.abandon()
                for lease in [released, abandoned] {
                    _ = try await trial.expectFailure(code: .closed, "work under a lease that has ended") {
                        try await lease.perform { _ in }
                    }
                    _ = try await trial.expectFailure(code: .closed, "a second release") {
                        try await lease.release { _ in }
                    }
                }
            }
        },

        Check("After an error a lease can only be abandoned") { trial in
            try await trial.withLocks { lock in
                let lease = try await lock.mustTake(1, on: trial.database)
                _ = try await trial.expectFailure(code: .statement, "an invalid statement") {
                    try await lease.perform { try $0.run("SELECT * FROM conformance_no_such_table") }
                }
                _ = try await trial.expectFailure(code: .closed, "continuing") {
                    try await lease.release { _ in }
                }
                await lease.abandon()
                let next = try await lock.mustTake(1, on: trial.database)
                await next.abandon()
            }
        },

        Check("Transactions run while leases are held") { trial in
            try await trial.withTable("id BIGINT PRIMARY KEY") { table in
                try await trial.withLocks { lock in
                    var leases: [any Lease] = []
                    for number in 1...16 { leases.append(try await lock.mustTake(number, on: trial.database)) }
                    for number in 1...16 { try await trial.run("INSERT INTO \(identifier: table) VALUES (\(number))") }
                    try expectEqual(try await trial.count(table), 16, "the number of rows")
                    for lease in leases { await lease.abandon() }
                }
            }
        },
    ]
}

/// Sixteen locks: rows of a table, if the database's locks are rows.
private struct Locks: Sendable {
    let table: String

    func take(_ number: Int, on database: any Database) async throws -> (any Lease)? {
        let clause = database.dialect.forUpdate
        let query: SQL =
            """
            SELECT id FROM \(identifier: table) WHERE id = \(number)
            \(raw: clause.isEmpty ? "" : clause + " SKIP LOCKED")
            """
        let name = "\(table.filter { $0.isLetter || $0.isNumber })-\(number)"
        return try await database.lease(LeasedResource(name: name, lockingQuery: query), idleTimeout: .seconds(60))
    }

    func mustTake(_ number: Int, on database: any Database) async throws -> any Lease {
        guard let lease = try await take(number, on: database) else {
            throw ConformanceFailure(expected: "a lease on lock \(number)", actual: "it is held elsewhere")
        }
        return lease
    }
}

extension DatabaseTrial {
    fileprivate func withLocks(_ body: (Locks) async throws -> Void) async throws {
        try await withTable("id BIGINT PRIMARY KEY, n BIGINT NOT NULL DEFAULT 0") { table in
            let ids = (1...16).map { DatabaseValue.integer(Int64($0)) }
            let rows = dialect.rows([BulkColumn("id", .integer, ids)], alias: "given")
            try await run("INSERT INTO \(identifier: table) (id) SELECT given.id FROM \(rows)")
            try await body(Locks(table: table))
        }
    }
}
