import Dionysus
import DionysusSQLite
import TestSupport
import Testing

struct SQLiteValueTests {
    @Test func `Values are kept in the form that the database's documentation names`() async throws {
        try await withTemporaryDirectory { directory in
            let database = try SQLiteDatabase(path: "\(directory)/test.sqlite")
            let price = try #require(ExactDecimal("123.45"))
            let id = try DatabaseValue.text("0189DCD5-5311-7D40-8DB0-9496A2EEF37B").converted(to: .uuid)
            let at = Timestamp(microseconds: 1_702_044_156_280_000)
            let row = try await database.transaction(.write) { transaction in
                try transaction.run(
                    "CREATE TABLE kept (open BOOLEAN, price NUMERIC(10,2), id UUID, at TIMESTAMP, n JSON TEXT)"
                )
                try transaction.run(
                    "INSERT INTO kept VALUES (\(true), \(price), \(id), \(at), \(DatabaseValue.json("1.50")))"
                )
                return try transaction.run("SELECT *, typeof(price) AS kind FROM kept").first
            }
            #expect(row?["open"] == .integer(1))
            #expect(row?["price"] == .double(123.45))
            #expect(row?["kind"] == .text("real"))
            #expect(row?["id"] == .text("0189dcd5-5311-7d40-8db0-9496a2eef37b"))
            #expect(row?["at"] == .text("2023-12-08T14:02:36.280000Z"))
            #expect(row?["n"] == .text("1.50"))
            await database.close()
        }
    }

    @Test(arguments: [
        ("BIGINT", DatabaseType.integer), ("unsigned big int", .integer), ("NUMERIC(10, 2)", .decimal),
        ("decimal", .decimal), ("timestamp with time zone", .timestamp), ("DATETIME(6)", .timestamp),
        ("varchar(20)", .text), ("character varying(20)", .text), ("NVARCHAR(20)", .text), ("TEXT", .text),
        ("date", .text), ("json", .json), ("JSON TEXT", .json), ("boolean", .bool), ("uuid", .uuid), ("BLOB", .bytes),
        ("double precision", .double), ("real", .double), ("geometry", nil), ("", nil),
    ])
    func `A declared type is understood by its name`(_ declared: String, _ type: DatabaseType?) async throws {
        try await withTemporaryDirectory { directory in
            let database = try SQLiteDatabase(path: "\(directory)/test.sqlite")
            let table = try await database.transaction(.write) { transaction in
                try transaction.run("CREATE TABLE typed (value \(raw: declared))")
                return try transaction.describe(table: "typed")
            }
            #expect(table?.columns.first?.type == type)
            #expect(table?.columns.first?.declaredType.lowercased() == declared.lowercased())
            await database.close()
        }
    }

    @Test(arguments: [1, 8, 9, 64, 65, 1_999])
    func `Rows have as many columns as are given`(_ width: Int) async throws {
        try await withTemporaryDirectory { directory in
            let database = try SQLiteDatabase(path: "\(directory)/test.sqlite")
            let columns = (0..<width)
                .map { column in
                    BulkColumn("n\(column)", .integer, (0..<3).map { .integer(Int64(column * 10 + $0)) })
                }
            let rows = database.dialect.rows(columns, alias: "v")
            let result = try await database.transaction(.snapshot) { try $0.run("SELECT * FROM \(rows)") }
            #expect(result.columns == columns.map(\.name))
            #expect(result.count == 3)
            #expect(result[2, width - 1] == .integer(Int64((width - 1) * 10 + 2)))
            await database.close()
        }
    }

    @Test func `A statement that is run again takes other lists, also beside each other`() async throws {
        try await withTemporaryDirectory { directory in
            let database = try SQLiteDatabase(path: "\(directory)/test.sqlite")
            let sums = try await database.transaction(.snapshot) { transaction in
                try [[1, 2], [], [5, 6]]
                    .map { (numbers: [Int64]) in
                        let values = numbers.map { DatabaseValue.integer($0) }
                        let rows = database.dialect.rows([BulkColumn("n", .integer, values)], alias: "v")
                        let isFive = database.dialect.isAny("v.n", of: [.integer(5)], type: .integer)
                        return try transaction.run("SELECT total(n) + 100 * total(\(isFive)) FROM \(rows)").first?[0]
                    }
            }
            #expect(sums == [.double(3), .double(0), .double(111)])
            await database.close()
        }
    }

    @Test func `A number that is NaN is refused, and is not stored as null`() async throws {
        try await withTemporaryDirectory { directory in
            let database = try SQLiteDatabase(path: "\(directory)/test.sqlite")
            let values: [DatabaseValue] = [
                .double(.nan), .decimal(.notANumber), .array(.double, [.double(1), .double(.nan)]),
            ]
            for value in values {
                let error = await #expect(throws: DionysusError.self) {
                    try await database.transaction(.write) { _ = try $0.run("SELECT \(value)") }
                }
                #expect(error?.code == .typeMismatch)
            }
            let infinity = try await database.transaction(.write) { transaction in
                try transaction.run("SELECT \(Double.infinity) AS i").first?[0]
            }
            #expect(infinity == .double(.infinity))
            await database.close()
        }
    }

    @Test func `A statement ends when its task is cancelled, and the database goes on`() async throws {
        try await withTemporaryDirectory { directory in
            let database = try SQLiteDatabase(path: "\(directory)/test.sqlite")
            for kind in [TransactionKind.write, .snapshot] {
                let (begun, continuation) = AsyncStream.makeStream(of: Void.self)
                let task = Task {
                    try await database.transaction(kind) { transaction in
                        continuation.yield()
                        _ = try transaction.run(
                            """
                            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000000)
                            SELECT count(*) FROM n
                            """
                        )
                    }
                }
                for await _ in begun { break }
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
                let one = try await database.transaction(kind) { try $0.run("SELECT 1 AS one").first?[0] }
                #expect(one == .integer(1))
            }
            await database.close()
        }
    }
}
