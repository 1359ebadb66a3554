import Dionysus

extension DatabaseConformance {
    /// The requirements of databases that say what expressions read.
    package static let expressionChecks: [Check] = [
        Check("Each table's columns are listed apart from those of the record's row") { trial in
            try await trial.withHouses { houses, rooms in
                let read = try await trial.describe(
                    "(SELECT sum(r.size) FROM \(rooms) r WHERE r.house_id = house.id) + house.floors",
                    of: houses
                )
                try expectEqual(read.ownColumns, ["floors", "id"], "the record's own columns")
                try expectEqual(read.reads, [.init(table: rooms, columns: ["house_id", "size"])], "what else is read")
                try expectEqual(read.unpredictable, [], "what is unpredictable")
                try expectEqual(read.opaque, [], "what is opaque")
            }
        },

        Check("Other rows of the record's own table are other rows") { trial in
            try await trial.withHouses { houses, _ in
                let read = try await trial.describe(
                    "SELECT max(h.floors) FROM \(houses) h WHERE h.street = house.street",
                    of: houses
                )
                try expectEqual(read.ownColumns, ["street"], "the record's own columns")
                try expectEqual(read.reads, [.init(table: houses, columns: ["floors", "street"])], "what else is read")
            }
        },

        Check("A table of which only the number of rows counts is read without columns") { trial in
            try await trial.withHouses { houses, rooms in
                let read = try await trial.describe("SELECT count(*) FROM \(rooms)", of: houses)
                try expectEqual(read.reads, [.init(table: rooms, columns: [])], "what is read")
            }
        },

        Check("A row may be called by a reserved word in quotes") { trial in
            try await trial.withHouses { houses, _ in
                let read = try await trial.describe("\"order\".floors + 1", of: houses, as: "order")
                try expectEqual(read.ownColumns, ["floors"], "the record's own columns")
            }
        },

        Check("A view reads what its tables hold, and its definition is part of the answer") { trial in
            try await trial.withHouses { houses, rooms in
                let view = DatabaseTrial.freshName("large")
                try await trial.run(
                    "CREATE VIEW \(identifier: view) AS SELECT house_id FROM \(identifier: rooms) WHERE size > 10"
                )
                let result = await Result {
                    try await trial.describe("SELECT count(*) FROM \(view) v WHERE v.house_id = house.id", of: houses)
                }
                try await trial.run("DROP VIEW \(identifier: view)")
                let read = try result.get()
                try expectEqual(read.reads, [.init(table: rooms, columns: ["house_id", "size"])], "what is read")
                try expectEqual(Set(read.definitions.keys), [view], "the views with definitions")
                try expect(
                    read.definitions[view]?.contains("house_id") == true,
                    "the view's text",
                    read.definitions[view] ?? "none"
                )
            }
        },

        Check("Values that change by themselves are named") { trial in
            try await trial.withHouses { houses, _ in
                for expression in ["random()", "SELECT current_timestamp", "house.floors + (SELECT abs(random()))"] {
                    let read = try await trial.describe(expression, of: houses)
                    try expect(!read.unpredictable.isEmpty, "\(expression) to be unpredictable", "\(read)")
                }
                let read = try await trial.describe("abs(house.floors) + length('now')", of: houses)
                try expectEqual(read.unpredictable, [], "what is unpredictable in a fixed expression")
            }
        },

        Check("An expression is described without being evaluated, and leaves nothing behind") { trial in
            try await trial.withHouses { houses, rooms in
                try await trial.run("INSERT INTO \(identifier: houses) VALUES (1, 0, 'a')")
                let tables = try await trial.database.transaction(.write) { transaction in
                    let expressions = try transaction.expressions
                    for _ in 0..<2 {
                        _ = try expressions.describe(expression: "1 / house.floors", of: houses, as: "house")
                    }
                    try transaction.run("INSERT INTO \(identifier: rooms) VALUES (1, 1, 5)")
                    return try ["dionysus_row", "dionysus_expression"]
                        .compactMap {
                            try transaction.describe(table: $0)?.name
                        }
                }
                try expectEqual(tables, [], "what is left behind")
                try expectEqual(try await trial.count(rooms), 1, "the rows that the transaction wrote")
            }
        },

        Check("What can't be evaluated is refused, and the transaction goes on") { trial in
            try await trial.withHouses { houses, _ in
                for expression in [
                    "house.nothing", "SELECT 1 FROM conformance_no_such_table", "house.id +", "1, 2",
                    "no_such_function(house.id)",
                ] {
                    try await trial.database.transaction(.write) { transaction in
                        do {
                            _ = try transaction.expressions.describe(expression: expression, of: houses, as: "house")
                        } catch let error as DionysusError where error.code == .statement {
                            try transaction.run("SELECT 1")
                            return
                        }
                        throw ConformanceFailure(expected: "\(expression) to be refused", actual: "it was described")
                    }
                }
            }
        },

        Check("Foreign keys of one column are listed by the names that descriptions have") { trial in
            try await trial.withHouses { houses, rooms in
                let (keys, names) = try await trial.database.transaction(.write) { transaction in
                    let expressions = try transaction.expressions
                    return (
                        try expressions.foreignKeys(),
                        try [houses, rooms, "conformance_no_such_table"]
                            .map { try expressions.describedName(ofTable: $0) }
                    )
                }
                try expectEqual(names, [houses, rooms, nil], "the names of tables")
                let key = ForeignKey(table: rooms, column: "house_id", otherTable: houses, otherColumn: "id")
                try expectEqual(keys.filter { $0.table == rooms || $0.otherTable == houses }, [key], "the foreign keys")
            }
        },
    ]
}

extension DatabaseTrial {
    /// Creates tables of houses and their rooms for the duration of a check.
    fileprivate func withHouses(_ body: (_ houses: String, _ rooms: String) async throws -> Void) async throws {
        try await withTable("id BIGINT PRIMARY KEY, floors BIGINT NOT NULL, street TEXT") { houses in
            try await withTable(
                "id BIGINT PRIMARY KEY, house_id BIGINT REFERENCES \(identifier: houses) (id), size BIGINT"
            ) { rooms in
                try await body(houses, rooms)
            }
        }
    }

    fileprivate func describe(
        _ expression: String,
        of table: String,
        as row: String = "house"
    ) async throws -> ExpressionDescription {
        try await database.transaction(.write) { transaction in
            try transaction.expressions.describe(expression: expression, of: table, as: row)
        }
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
