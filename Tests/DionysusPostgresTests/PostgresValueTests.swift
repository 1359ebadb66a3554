import Dionysus
import DionysusConformance
import DionysusPostgres
import TestSupport
import Testing

import struct Foundation.UUID

@Suite(.needsPostgres, .sharedDatabase)
struct PostgresValueTests {
    @Test(arguments: [
        ("'NaN'::numeric", DatabaseValue.text("NaN")),
        (
            "12345678901234567890123456789012345678901234567890::numeric",
            .text("12345678901234567890123456789012345678901234567890")
        ),
        ("'150.00'::numeric(10,2)", .decimal(ExactDecimal(unscaled: 15_000, scale: 2))),
        ("'infinity'::timestamptz", .text("infinity")),
        ("'Infinity'::float8", .double(.infinity)),
        ("'2023-12-08 14:02:36.28'::timestamp", .timestamp(Timestamp(microseconds: 1_702_044_156_280_000))),
        ("'2023-12-08 14:02:36.28+05:30'::timestamptz", .timestamp(Timestamp(microseconds: 1_702_024_356_280_000))),
        ("'2023-12-08'::date", .text("2023-12-08")),
        ("'10.0.0.1'::inet", .text("10.0.0.1")),
        ("12::smallint", .integer(12)),
        ("1.5::real", .double(1.5)),
        ("'{1,NULL,3}'::int[]", .array(.integer, [.integer(1), .null, .integer(3)])),
        (
            #"'{a,"b,\"c\"",NULL,"NULL",""}'::text[]"#,
            .array(.text, [.text("a"), .text("b,\"c\""), .null, .text("NULL"), .text("")])
        ),
        ("'{}'::uuid[]", .array(.uuid, [])),
        ("'{{1,2},{3,4}}'::int[]", .text("{{1,2},{3,4}}")),
        ("'[0:1]={1,2}'::int[]", .text("[0:1]={1,2}")),
        ("ARRAY['{\"a\": [1]}']::jsonb[]", .array(.json, [.json("{\"a\": [1]}")])),
        ("(-9223372036854775808)::bigint", .integer(.min)),
        ("NULL::bigint[]", .null),
    ])
    func `A value is read as what comes closest to it`(_ expression: String, _ expected: DatabaseValue) async throws {
        let database = try SharedDatabase.open()
        let value = try await database.transaction(.snapshot) { try $0.run("SELECT \(raw: expression)").first?[0] }
        #expect(value == expected)
        await database.close()
    }

    @Test(arguments: [
        (
            DatabaseType.decimal,
            [
                "0", "0.00", "7", "10000", "100000000", "-0.00001", "1234567.89", "123.4567", "0.000000000000000000001",
                "12345678901234567890123456789012345678", "-1.2345678901234567890123456789012345678",
            ]
            .compactMap { ExactDecimal($0) }.map(DatabaseValue.decimal)
        ),
        (.decimal, [.decimal(ExactDecimal(unscaled: 15, scale: 1)), .text("NaN"), .null]),
        (.timestamp, [.timestamp(Timestamp(microseconds: 1)), .text("infinity"), .text("-infinity")]),
        (.timestamp, [.timestamp(Timestamp(microseconds: 946_684_799_999_999)), .null]),
        (.integer, [.integer(.min), .integer(-1), .null, .integer(.max)]),
        (.double, [.double(-0.1), .double(.infinity), .double(1e300)]),
        (.bool, [.bool(true), .null, .bool(false)]),
        (.json, [.json(#"{"a": "\"q\" \\ ä"}"#), .null]),
        (
            .text,
            [.text("ä"), .text(""), .null, .text(#"{"q",NULL}"#), .text(String(repeating: "long ", count: 1_000))]
        ),
        (.bytes, [.bytes([]), .bytes([0, 255]), .null]),
        (.uuid, [.uuid(UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255))), .null]),
        (.text, [.null, .null]),
        (.integer, []),
    ])
    func `A list comes back as it went in`(_ type: DatabaseType, _ values: [DatabaseValue]) async throws {
        let database = try SharedDatabase.open()
        let columns = [BulkColumn("sample", type, values)]
        for rows in [PostgresDialect().rows(columns, alias: "v"), PostgresDialect().lookupRows(columns, alias: "v")] {
            let read = try await database.transaction(.snapshot) { try $0.run("SELECT v.sample FROM \(rows)") }
            #expect(read.rows.map { "\($0[0])" } == values.map { "\($0)" })
        }
        await database.close()
    }

    @Test func `What is no number is none in a list either`() async throws {
        let database = try SharedDatabase.open()
        let values: [DatabaseValue] = [.decimal(15), .decimal(.notANumber)]
        let rows = PostgresDialect().rows([BulkColumn("sample", .decimal, values)], alias: "v")
        let read = try await database.transaction(.snapshot) { try $0.run("SELECT v.sample::text FROM \(rows)") }
        #expect(read.rows.map { $0[0] } == [.text("15"), .text("NaN")])
        await database.close()
    }

    @Test func `Values come back as they went in whatever the server's defaults are`() async throws {
        try await withTemporaryPostgresURL { url in
            let database = try PostgresDatabase(url: url)
            _ = try await database.transaction(.write) { transaction in
                let name = try transaction.run("SELECT current_database()").first?.text(0) ?? ""
                return try transaction.run(
                    [
                        "timezone TO 'America/St_Johns'", "datestyle TO 'German'", "extra_float_digits TO 0",
                        "bytea_output TO 'escape'", "default_transaction_isolation TO 'serializable'",
                        "default_transaction_read_only TO on",
                    ]
                    .map { "ALTER DATABASE \(identifier: name) SET \(raw: $0)" }
                )
            }
            await database.close()
            for check in DatabaseConformance.checks {
                do {
                    try await check.run { try PostgresDatabase(url: url) }
                } catch {
                    Issue.record(error, "\(check)")
                }
            }
        }
    }

    @Test func `A timestamp without a time zone is UTC both ways`() async throws {
        let database = try SharedDatabase.open()
        let time = Timestamp(microseconds: 1_702_044_156_280_000)
        let row = try await database.transaction(.write) { transaction in
            try transaction.run("CREATE TABLE zoneless (at timestamp)")
            try transaction.run("INSERT INTO zoneless VALUES (\(time))")
            return try transaction.run("SELECT at, at::text FROM zoneless").first
        }
        #expect(row?[0] == .timestamp(time))
        #expect(row?[1] == .text("2023-12-08 14:02:36.28"))
        await database.close()
    }
}
