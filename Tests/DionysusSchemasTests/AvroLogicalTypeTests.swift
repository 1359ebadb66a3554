import Dionysus
import DionysusSchemas
import Foundation
import Testing

@Suite struct AvroLogicalTypeTests {
    /// A type, a document, what is written for it, and the plain JSON of that.
    static let values: [(String, JSON, AvroValue, JSON)] = [
        (#"{"type": "int", "logicalType": "date"}"#, "2023-12-08", .int(19_699), "2023-12-08"),
        (#"{"type": "int", "logicalType": "date"}"#, "1969-12-31", .int(-1), "1969-12-31"),
        (#"{"type": "int", "logicalType": "date"}"#, .integer(5), .int(5), "1970-01-06"),
        (#"{"type": "int", "logicalType": "date"}"#, .integer(2_147_483_647), .int(.max), .integer(2_147_483_647)),
        (#"{"type": "int", "logicalType": "date"}"#, .integer(-2_147_483_648), .int(.min), .integer(-2_147_483_648)),
        (#"{"type": "int", "logicalType": "date"}"#, "2023-12-08T23:59:59.9Z", .int(19_699), "2023-12-08"),
        (#"{"type": "int", "logicalType": "time-millis"}"#, "14:02:36.28", .int(50_556_280), "14:02:36.280"),
        (#"{"type": "int", "logicalType": "time-millis"}"#, "23:59:59.999", .int(86_399_999), "23:59:59.999"),
        (
            #"{"type": "int", "logicalType": "time-millis"}"#, .integer(86_400_000), .int(86_400_000),
            .integer(86_400_000)
        ),
        (#"{"type": "long", "logicalType": "time-micros"}"#, "00:00:00.000001", .long(1), "00:00:00.000001"),
        (#"{"type": "long", "logicalType": "time-micros"}"#, .integer(-1), .long(-1), .integer(-1)),
        (
            #"{"type": "long", "logicalType": "timestamp-millis"}"#, "2023-12-08T14:02:36.280Z",
            .long(1_702_044_156_280),
            "2023-12-08T14:02:36.280Z"
        ),
        // Time before 1970 goes toward the past as well.
        (
            #"{"type": "long", "logicalType": "timestamp-millis"}"#, "1969-12-31T23:59:59.999900Z", .long(-1),
            "1969-12-31T23:59:59.999Z"
        ),
        (
            #"{"type": "long", "logicalType": "timestamp-millis"}"#, .integer(.max), .long(.max), .integer(.max)
        ),
        (
            #"{"type": "long", "logicalType": "timestamp-micros"}"#, "2023-12-08 15:02:36.280123+01:00",
            .long(1_702_044_156_280_123), "2023-12-08T14:02:36.280123Z"
        ),
        (
            #"{"type": "long", "logicalType": "timestamp-micros"}"#, .integer(.min), .long(.min),
            "-290308-12-21T19:59:05.224192Z"
        ),
        (
            #"{"type": "long", "logicalType": "timestamp-nanos"}"#, .integer(-1), .long(-1),
            "1969-12-31T23:59:59.999999999Z"
        ),
        (
            #"{"type": "long", "logicalType": "timestamp-nanos"}"#, "2023-12-08T14:02:36.280123Z",
            .long(1_702_044_156_280_123_000), "2023-12-08T14:02:36.280123000Z"
        ),
        (
            #"{"type": "long", "logicalType": "local-timestamp-millis"}"#, "2023-12-08T14:02:36.28",
            .long(1_702_044_156_280),
            "2023-12-08T14:02:36.280"
        ),
        (
            #"{"type": "long", "logicalType": "local-timestamp-micros"}"#, .integer(1), .long(1),
            "1970-01-01T00:00:00.000001"
        ),
        (
            #"{"type": "long", "logicalType": "local-timestamp-nanos"}"#, .integer(1), .long(1),
            "1970-01-01T00:00:00.000000001"
        ),
        (
            #"{"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}"#, "-150", .bytes([0xc5, 0x68]),
            "-150.00"
        ),
        (
            #"{"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}"#, .number("0.10"), .bytes([10]),
            "0.10"
        ),
        (
            #"{"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}"#, .integer(0), .bytes([0]),
            "0.00"
        ),
        (#"{"type": "bytes", "logicalType": "decimal", "precision": 10}"#, .integer(128), .bytes([0, 128]), "128"),
        (#"{"type": "bytes", "logicalType": "decimal", "precision": 10}"#, .integer(-128), .bytes([128]), "-128"),
        (#"{"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}"#, "1.2000", .bytes([120]), "1.20"),
        (
            #"{"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 38}"#,
            "0.99999999999999999999999999999999999999",
            .bytes([0x4b, 0x3b, 0x4c, 0xa8, 0x5a, 0x86, 0xc4, 0x7a, 0x09, 0x8a, 0x22, 0x3f, 0xff, 0xff, 0xff, 0xff]),
            "0.99999999999999999999999999999999999999"
        ),
        (
            #"{"type": "fixed", "name": "F", "size": 4, "logicalType": "decimal", "precision": 9, "scale": 1}"#, "-0.1",
            .fixed("F", [255, 255, 255, 255]), "-0.1"
        ),
        (
            #"{"type": "fixed", "name": "F", "size": 20, "logicalType": "decimal", "precision": 38}"#, .integer(258),
            .fixed("F", [UInt8](repeating: 0, count: 18) + [1, 2]), "258"
        ),
        (
            #"{"type": "string", "logicalType": "uuid"}"#, "0189DCD5-5311-7D40-8DB0-9496A2EEF37B",
            .string("0189dcd5-5311-7d40-8db0-9496a2eef37b"), "0189dcd5-5311-7d40-8db0-9496a2eef37b"
        ),
        (
            #"{"type": "fixed", "name": "F", "size": 16, "logicalType": "uuid"}"#,
            "0189dcd5-5311-7d40-8db0-9496a2eef37b",
            .fixed("F", [1, 0x89, 0xdc, 0xd5, 0x53, 0x11, 0x7d, 0x40, 0x8d, 0xb0, 0x94, 0x96, 0xa2, 0xee, 0xf3, 0x7b]),
            "0189dcd5-5311-7d40-8db0-9496a2eef37b"
        ),
        (
            #"{"type": "fixed", "name": "F", "size": 12, "logicalType": "duration"}"#,
            ["months": 1, "days": .integer(4_294_967_295), "milliseconds": 3],
            .fixed("F", [1, 0, 0, 0, 255, 255, 255, 255, 3, 0, 0, 0]),
            ["months": 1, "days": .integer(4_294_967_295), "milliseconds": 3]
        ),
        // A logical type that isn't known is no hindrance.
        (#"{"type": "long", "logicalType": "fortnights"}"#, .integer(7), .long(7), .integer(7)),
    ]

    @Test("A logical type's values are written and read", arguments: values)
    func written(type: String, document: JSON, value: AvroValue, plain: JSON) throws {
        let schema = try AvroSchema(parsing: type)
        #expect(try schema.coerce(document) == value)
        #expect(try AvroPlan(from: schema).plainJSON(from: schema.encode(value)) == plain)
        // The plain form is taken as well.
        #expect(try schema.coerce(plain) == value)
    }

    static let refused: [(String, JSON, String)] = [
        (#"{"type": "int", "logicalType": "date"}"#, "2023-02-30", "text is no date of int"),
        (#"{"type": "int", "logicalType": "time-millis"}"#, "24:00:00", "text is no time-millis of int"),
        (#"{"type": "int", "logicalType": "time-millis"}"#, "10:00:00+02:00", "text is no time-millis of int"),
        (#"{"type": "long", "logicalType": "timestamp-micros"}"#, "yesterday", "text is no timestamp-micros of long"),
        (#"{"type": "long", "logicalType": "timestamp-nanos"}"#, "2300-01-01T00:00:00Z", "text is no timestamp-nanos"),
        (
            #"{"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}"#, "1.234",
            "more than the 2 digits behind the point"
        ),
        (#"{"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}"#, "100", "more than the 4 digits"),
        (
            #"{"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}"#, "ten",
            "text is no decimal(4, 2) of bytes"
        ),
        (
            #"{"type": "bytes", "logicalType": "decimal", "precision": 60, "scale": 30}"#, .integer(999_999_999_999),
            "more digits than"
        ),
        (#"{"type": "string", "logicalType": "uuid"}"#, "0189dcd5", "text is no uuid of string"),
        (
            #"{"type": "fixed", "name": "F", "size": 12, "logicalType": "duration"}"#,
            ["months": 1, "days": -1, "milliseconds": 3], "at days: a duration needs days"
        ),
    ]

    @Test("What a logical type can't express is refused, never rounded", arguments: refused)
    func refusedValue(type: String, document: JSON, message: String) throws {
        let error = try #require(throws: DionysusError.self) { try AvroSchema(parsing: type).coerce(document) }
        #expect(error.description.contains(message), "\(error)")
    }

    @Test func decimalsAreReadWithAsManyBytesAsTheWriterTook() throws {
        let schema = try AvroSchema(
            parsing: #"{"type": "bytes", "logicalType": "decimal", "precision": 64, "scale": 2}"#
        )
        let plan = try AvroPlan(from: schema)
        func read(_ bytes: [UInt8]) throws -> JSON { try plan.plainJSON(from: schema.encode(.bytes(bytes))) }
        #expect(try read([UInt8](repeating: 0, count: 30) + [1]) == "0.01")
        #expect(try read([UInt8](repeating: 255, count: 31)) == "-0.01")
        for bytes in [[], [1] + [UInt8](repeating: 0, count: 16), [UInt8](repeating: 0x7f, count: 16)] {
            let error = try #require(throws: DionysusError.self) { try read(bytes) }
            #expect(error.description.contains("38 digits"), "\(error)")
        }
    }

    @Test func aRowIsWrittenWithValuesAsADatabaseHasThem() throws {
        let schema = try AvroSchema(
            parsing: """
                {"type": "record", "name": "R", "fields": [{"name": "id", "type": "int"},
                 {"name": "name", "type": ["null", "string"]}, {"name": "price", "type": ["null",
                  {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}]},
                 {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
                 {"name": "day", "type": {"type": "int", "logicalType": "date"}},
                 {"name": "token", "type": {"type": "fixed", "name": "T", "size": 16, "logicalType": "uuid"}},
                 {"name": "open", "type": "boolean"}, {"name": "data", "type": "bytes"},
                 {"name": "colour", "type": {"type": "enum", "name": "C", "symbols": ["red", "green"]}},
                 {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "L", "fields": [
                   {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]}]}}},
                 {"name": "tags", "type": {"type": "map", "values": "int"}}]}
                """
        )
        let token = try #require(UUID(uuidString: "0189dcd5-5311-7d40-8db0-9496a2eef37b"))
        let at = Timestamp(microseconds: 1_702_044_156_280_000)
        let row: [DatabaseValue] = [
            .integer(1), .text("x"), .decimal(ExactDecimal(unscaled: -15_000, scale: 2)), .timestamp(at),
            .text("2023-12-08"),
            .uuid(token), .bool(true), .bytes([1]), .text("green"),
            .json(#"[{"at":"2023-12-08T14:02:36.280Z"},{"at":null}]"#),
            .json(#"{"a":1,"b":2}"#),
        ]
        guard case .record(let record) = schema.types[schema.root].kind else {
            Issue.record("no record")
            return
        }
        var coercion = AvroCoercion(schema: schema)
        let plan = try AvroPlan(from: schema)
        for _ in 0..<2 {
            coercion.reset()
            for (field, value) in zip(record.fields, row) { try coercion.write(value, field.type) }
            let read = try plan.plainJSON(from: coercion.bytes)
            #expect(read["id"] == 1 && read["name"] == "x" && read["price"] == "-150.00" && read["open"] == true)
            #expect(read["day"] == "2023-12-08" && read["colour"] == "green")
            #expect(read["at"] == .string("2023-12-08T14:02:36.280000Z"))
            #expect(read["token"] == .string(token.uuidString.lowercased()))
            #expect(read["lines"]?.text == #"[{"at":"2023-12-08T14:02:36.280Z"},{"at":null}]"#)
            #expect(read["tags"]?.text == #"{"a":1,"b":2}"#)
        }
        coercion.reset()
        var second = row
        second[1] = .null
        second[2] = .null
        for (field, value) in zip(record.fields, second) { try coercion.write(value, field.type) }
        let read = try plan.plainJSON(from: coercion.bytes)
        #expect(read["name"] == .null && read["price"] == .null)
        #expect(throws: DionysusError.self) { try plan.plainJSON(from: coercion.bytes.dropLast(3)) }
    }

    /// What confluent-kafka-python wrote, behind its prefix.
    @Test func dataOfAnotherProgramIsRead() throws {
        let schema = try AvroSchema(
            parsing: """
                {"type": "record", "name": "S", "fields": [{"name": "id", "type": "long"}, {"name": "name", "type": ["null", "string"]},
                 {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
                 {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}
                """
        )
        let bytes: [UInt8] = [0x02, 0x02, 0x02, 0x78, 0x04, 0xc5, 0x68, 0x80, 0xf3, 0x9d, 0x95, 0x81, 0x80, 0x86, 0x06]
        let value = try schema.decode(bytes)
        #expect(value["price"] == .bytes([0xc5, 0x68]))
        #expect(try AvroPlan(from: schema).plainJSON(from: bytes)["price"] == "-150.00")
    }
}
