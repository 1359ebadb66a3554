import Dionysus
import DionysusSchemas
import Testing

@Suite struct AvroCoercionTests {
    static let accepted: [(String, JSON, AvroValue)] = [
        ("int", "42", .int(42)),
        ("int", " 42 ", .int(42)),
        ("int", "0x1A", .int(26)),
        ("int", "010", .int(8)),
        ("int", "1_000", .int(1_000)),
        ("int", "-7", .int(-7)),
        ("int", .number("4.0"), .int(4)),
        ("long", "9223372036854775807", .long(.max)),
        ("float", "1.5", .float(1.5)),
        ("double", .integer(3), .double(3)),
        ("double", "1_000.5e1", .double(10_005)),
        ("double", "NaN", .double(.infinity)),
        ("string", .integer(5), .string("5")),
        ("string", .bool(true), .string("true")),
        ("string", .number("1.50"), .string("1.50")),
        ("string", ["a": [1]], .string(#"{"a":[1]}"#)),
        ("bytes", "é", .bytes([0xc3, 0xa9])),
        ("boolean", .bool(false), .boolean(false)),
        (#"{"type": "array", "items": "int"}"#, ["1", 2], .array([.int(1), .int(2)])),
        (#"{"type": "map", "values": "double"}"#, ["a": "1.5"], .map(["a": .double(1.5)])),
        (#"{"type": "enum", "name": "E", "symbols": ["A"]}"#, "A", .enumeration("E", "A")),
        (#"{"type": "fixed", "name": "F", "size": 2}"#, "ab", .fixed("F", [0x61, 0x62])),
        // Unions: the value's own type goes first, then the first branch that takes it.
        (#"["null", "int"]"#, .null, .null),
        (#"["null", "int"]"#, "5", .int(5)),
        (#"["null", "string", "long"]"#, .integer(5), .long(5)),
        (#"["null", "long", "string"]"#, "5", .string("5")),
        (#"["int", "string"]"#, .integer(1 << 40), .string("1099511627776")),
        (#"["int", "long"]"#, .integer(1 << 40), .long(1 << 40)),
        (#"["null", "string"]"#, ["a": .number("1.50")], .string(#"{"a":1.50}"#)),
        (#"["null", "string"]"#, [1, "x"], .string(#"[1,"x"]"#)),
        (#"{"type": "string", "logicalType": "json"}"#, "x", .string(#""x""#)),
        (#"{"type": "string", "logicalType": "json"}"#, .null, .string("null")),
        (#"["null", "boolean", "double"]"#, .number("1.5"), .double(1.5)),
        (
            #"["null", {"type": "array", "items": "int"}, {"type": "map", "values": "int"}]"#, ["a": 1],
            .map(["a": .int(1)])
        ),
        (
            """
            [{"type": "record", "name": "A", "fields": [{"name": "a", "type": "int"}]},
             {"type": "record", "name": "B", "fields": [{"name": "b", "type": "int"}]}]
            """, ["b": "3"], .record("B", ["b": .int(3)])
        ),
        (
            """
            {"type": "record", "name": "R", "fields": [{"name": "id", "type": "int"},
             {"name": "note", "type": ["string", "null"]}, {"name": "size", "type": "int", "default": 9}]}
            """, ["unknown": 1, "id": "7"], .record("R", ["id": .int(7), "note": .null, "size": .int(9)])
        ),
    ]

    @Test("What a schema's type can be made of is taken", arguments: accepted)
    func takes(type: String, document: JSON, value: AvroValue) throws {
        let coerced = try AvroSchema(parsing: type).coerce(document)
        if case .double(.infinity) = value, case .double(let number) = coerced {
            #expect(number.isNaN)
        } else {
            #expect(coerced == value)
        }
    }

    static let documents: [JSON] = [
        ["a": [1, .number("1.50"), "x", .null], "b": .bool(true)], [[1], ["a": "b"]], "text", .integer(5), .bool(false),
        .number("0.10"), .null,
    ]

    @Test("A document in text that is marked as JSON comes back as it was", arguments: documents)
    func keeps(document: JSON) throws {
        let schema = try AvroSchema(parsing: #"["null", {"type": "string", "logicalType": "json"}]"#)
        let bytes = try schema.encode(coercing: document)
        #expect(try AvroPlan(from: schema).plainJSON(from: bytes) == document)
    }

    @Test("Text that is marked as JSON and is none stays text") func keepsText() throws {
        let type = #"{"type": "string", "logicalType": "json"}"#
        let bytes = try AvroSchema(parsing: #""string""#).encode(coercing: "{nothing")
        #expect(try AvroPlan(from: AvroSchema(parsing: type)).plainJSON(from: bytes) == "{nothing")
    }

    static let refused: [(String, JSON, String)] = [
        ("int", .number("4.5"), "a number is no int"),
        ("int", "4.5", "text is no int"),
        ("int", "", "text is no int"),
        ("int", "1__0", "text is no int"),
        ("int", "0x", "text is no int"),
        ("int", .integer(1 << 40), "the number is out of the range of int"),
        ("int", .bool(true), "a boolean is no int"),
        ("int", .null, "null is no int"),
        ("float", "1e39", "out of the range of float"),
        ("double", "1e400", "text is no double"),
        ("double", "0x1p3", "text is no double"),
        ("string", .null, "null is no string"),
        ("boolean", "false", "text is no boolean"),
        ("boolean", .integer(0), "a whole number is no boolean"),
        ("boolean", .null, "null is no boolean"),
        (#"{"type": "enum", "name": "E", "symbols": ["A"]}"#, "B", "no symbol of E"),
        (#"{"type": "fixed", "name": "F", "size": 2}"#, "abc", "F has 2 bytes, the value 3"),
        (#"{"type": "array", "items": "int"}"#, [1, "x"], "at [1]: text is no int"),
        (#"{"type": "array", "items": "int"}"#, ["a": 1], "an object is no array"),
        (#"["null", "int"]"#, "x", "text is no int"),
        (#"["int", "double"]"#, .null, "null is no branch"),
        (
            """
            {"type": "record", "name": "R", "fields": [{"name": "lines", "type": {"type": "array", "items":
             {"type": "record", "name": "L", "fields": [{"name": "price", "type": "int"}]}}}]}
            """, ["lines": [["price": 1], ["price": "much"]]], "at lines[1].price: text is no int"
        ),
        (
            """
            {"type": "record", "name": "R", "fields": [{"name": "line",
             "type": {"type": "record", "name": "L", "fields": [{"name": "price", "type": "int"}]}}]}
            """, ["line": ["price": 1, "prize": 2]], "at line: the record L has no field \"prize\""
        ),
        (
            #"{"type": "record", "name": "R", "fields": [{"name": "id", "type": "int"}]}"#, [:],
            "at id: the value is missing, and the field has no default"
        ),
    ]

    @Test("What would be guessed or lose a digit is refused with its path", arguments: refused)
    func refuses(type: String, document: JSON, message: String) throws {
        let schema = try AvroSchema(parsing: type)
        let error = try #require(throws: DionysusError.self) { try schema.coerce(document) }
        #expect(error.description.contains(message), "\(error)")
        #expect(!error.description.contains("much"))
    }
}
