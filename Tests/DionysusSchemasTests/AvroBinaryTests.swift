import Dionysus
import DionysusSchemas
import Testing

@Suite struct AvroBinaryTests {
    /// A schema, a value, and the bytes that the specification says.
    static let values: [(String, AvroValue, [UInt8])] = [
        (#""null""#, .null, []),
        (#""boolean""#, .boolean(true), [1]),
        (#""boolean""#, .boolean(false), [0]),
        (#""int""#, .int(0), [0]),
        (#""int""#, .int(-1), [1]),
        (#""int""#, .int(1), [2]),
        (#""int""#, .int(-64), [0x7f]),
        (#""int""#, .int(64), [0x80, 0x01]),
        (#""int""#, .int(.max), [0xfe, 0xff, 0xff, 0xff, 0x0f]),
        (#""int""#, .int(.min), [0xff, 0xff, 0xff, 0xff, 0x0f]),
        (#""long""#, .long(.max), [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        (#""long""#, .long(.min), [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        (#""float""#, .float(1.5), [0, 0, 0xc0, 0x3f]),
        (#""double""#, .double(-2), [0, 0, 0, 0, 0, 0, 0, 0xc0]),
        (#""double""#, .double(-.infinity), [0, 0, 0, 0, 0, 0, 0xf0, 0xff]),
        (#""bytes""#, .bytes([1, 0, 255]), [6, 1, 0, 255]),
        (#""string""#, .string("foo"), [6, 0x66, 0x6f, 0x6f]),
        (#""string""#, .string("é☃"), [10, 0xc3, 0xa9, 0xe2, 0x98, 0x83]),
        (#"{"type": "array", "items": "long"}"#, .array([.long(3), .long(27)]), [4, 6, 0x36, 0]),
        (#"{"type": "array", "items": "long"}"#, .array([]), [0]),
        (#"{"type": "map", "values": "int"}"#, .map(["a": .int(1)]), [2, 2, 0x61, 2, 0]),
        (#"["null", "string"]"#, .null, [0]),
        (#"["null", "string"]"#, .string("a"), [2, 2, 0x61]),
        (#"{"type": "enum", "name": "n.E", "symbols": ["A", "B"]}"#, .enumeration("n.E", "B"), [2]),
        (#"{"type": "fixed", "name": "F", "size": 3}"#, .fixed("F", [7, 8, 9]), [7, 8, 9]),
        (#"{"type": "record", "name": "R", "fields": []}"#, .record("R", [:]), []),
        (
            #"{"type": "record", "name": "test", "fields": [{"name": "a", "type": "long"}, {"name": "b", "type": "string"}]}"#,
            .record("test", ["a": .long(27), "b": .string("foo")]), [0x36, 6, 0x66, 0x6f, 0x6f]
        ),
        (
            """
            {"type": "record", "name": "List", "fields": [{"name": "value", "type": "int"},
             {"name": "next", "type": ["null", "List"]}]}
            """,
            .record("List", ["value": .int(1), "next": .record("List", ["value": .int(2), "next": .null])]),
            [2, 2, 4, 0]
        ),
    ]

    @Test("Values have the bytes of the specification", arguments: values)
    func bytes(schema: String, value: AvroValue, bytes: [UInt8]) throws {
        let schema = try AvroSchema(parsing: schema)
        #expect(try schema.encode(value) == bytes)
        #expect(try schema.decode(bytes) == value)
        #expect(try schema.value(fromJSON: schema.json(value)) == value)
    }

    @Test func theBitsOfWhatIsNoNumberAreKept() throws {
        let schema = try AvroSchema(parsing: "double")
        let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 0xf8, 0x7f]
        guard case .double(let value) = try schema.decode(bytes) else {
            Issue.record("no double")
            return
        }
        #expect(value.bitPattern == 0x7ff8_0605_0403_0201)
        #expect(try schema.encode(.double(value)) == bytes)
    }

    @Test func arraysAndMapsComeInAnyNumberOfBlocks() throws {
        let array = try AvroSchema(parsing: #"{"type": "array", "items": "int"}"#)
        #expect(try array.decode([2, 2, 4, 4, 6, 0]) == .array([.int(1), .int(2), .int(3)]))
        // A block may say how many bytes it has.
        #expect(try array.decode([3, 4, 4, 6, 1, 2, 2, 0]) == .array([.int(2), .int(3), .int(1)]))
        let map = try AvroSchema(parsing: #"{"type": "map", "values": "null"}"#)
        #expect(try map.decode([1, 4, 2, 0x61, 2, 2, 0x62, 0]) == .map(["a": .null, "b": .null]))
    }

    @Test func whatIsMissingGetsItsDefaultAndNumbersAreWidened() throws {
        let schema = try AvroSchema(
            parsing: """
                {"type": "record", "name": "R", "fields": [{"name": "a", "type": "long"},
                 {"name": "b", "type": ["double", "null"], "default": 1.5}, {"name": "c", "type": "bytes", "default": "\\u00ff"}]}
                """
        )
        let bytes = try schema.encode(.record("R", ["a": .int(5), "b": .int(2)]))
        #expect(try schema.decode(bytes) == .record("R", ["a": .long(5), "b": .double(2), "c": .bytes([255])]))
        #expect(
            try schema.encode(.record("R", ["a": .int(5)])) == [10, 0] + [0, 0, 0, 0, 0, 0, 0xf8, 0x3f] + [2, 255]
        )
    }

    /// A value that isn't the schema's, and what the error says.
    static let misfits: [(String, AvroValue, String)] = [
        (#""int""#, .long(1), "long is no int"),
        (#""string""#, .null, "null is no string"),
        (#"["null", "int"]"#, .string("s"), "string is no branch of the union"),
        (#"{"type": "enum", "name": "E", "symbols": ["A"]}"#, .enumeration("E", "B"), "no symbol of E"),
        (#"{"type": "enum", "name": "E", "symbols": ["A"]}"#, .enumeration("F", "A"), "enum F is no E"),
        (#"{"type": "fixed", "name": "F", "size": 2}"#, .fixed("F", [1]), "F has 2 bytes, the value 1"),
        (#"{"type": "array", "items": "int"}"#, .array([.int(1), .null]), "at [1]: null is no int"),
        (#"{"type": "map", "values": "int"}"#, .map(["secret": .null]), "at {0}: null is no int"),
        (
            #"{"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": "int"}}]}"#,
            .record("R", ["a": .array([.null])]), "at a[0]: null is no int"
        ),
        (
            #"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}"#, .record("R", [:]),
            "at a: the value is"
        ),
        (
            #"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}"#,
            .record("R", ["a": .int(1), "b": .int(1)]), "has no field \"b\""
        ),
    ]

    @Test("A value that isn't the schema's is refused with its path", arguments: misfits)
    func refusedValue(schema: String, value: AvroValue, message: String) throws {
        let schema = try AvroSchema(parsing: schema)
        let error = try #require(throws: DionysusError.self) { try schema.encode(value) }
        #expect(error.code == .malformed)
        #expect(error.description.contains(message), "\(error)")
        #expect(!error.description.contains("secret"))
    }

    /// Bytes that aren't the schema's, and what the error says.
    static let malformed: [(String, [UInt8], String)] = [
        (#""int""#, [], "byte 0: the data ends"),
        (#""int""#, [0x80], "byte 1: the data ends"),
        (#""int""#, [0xff, 0xff, 0xff, 0xff, 0x1f], "byte 0: an int has more than 32 bits"),
        (#""int""#, [0x80, 0x80, 0x80, 0x80, 0x80, 0x00], "byte 0: an int has more than 32 bits"),
        (
            #""long""#, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            "byte 0: a long has more than 64 bits"
        ),
        (#""long""#, [UInt8](repeating: 0x80, count: 20), "byte 0: a long has more than 64 bits"),
        (#""boolean""#, [2], "byte 0: a boolean is neither"),
        (#""float""#, [1, 2, 3], "byte 3: the data ends"),
        (#""string""#, [1], "byte 0: a length is below zero"),
        (#""string""#, [8, 1], "byte 0: a length is said to be more"),
        (
            #""bytes""#, [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            "byte 0: a length is said to be more"
        ),
        (#""string""#, [4, 0xc3, 0x28], "byte 0: text is not UTF-8"),
        (#""string""#, [6, 0xed, 0xa0, 0x80], "byte 0: text is not UTF-8"),
        (#""null""#, [0], "byte 0: 1 bytes stand behind the datum"),
        (#"["null", "int"]"#, [4], "byte 0: there is no such branch"),
        (#"["null", "int"]"#, [1], "byte 0: there is no such branch"),
        ("[]", [0], "byte 0: there is no such branch"),
        (#"{"type": "enum", "name": "E", "symbols": ["A"]}"#, [2], "byte 0: there is no such symbol"),
        (#"{"type": "enum", "name": "E", "symbols": ["A"]}"#, [1], "byte 0: there is no such symbol"),
        (#"{"type": "fixed", "name": "F", "size": 2147483647}"#, [1], "byte 1: the data ends"),
        (
            #"{"type": "array", "items": "int"}"#, [0xfe, 0xff, 0xff, 0xff, 0x0f, 1],
            "byte 0: a block is said to have more elements"
        ),
        (#"{"type": "array", "items": "int"}"#, [3, 1, 2, 2, 0], "byte 0: a block is said to have more bytes"),
        (
            #"{"type": "array", "items": "int"}"#,
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0], "byte 0: a block's count is out of range"
        ),
        (#"{"type": "array", "items": "null"}"#, [0xfe, 0xff, 0xff, 0xff, 0x0f, 0], "values that take no bytes"),
        (#"{"type": "map", "values": "int"}"#, [2, 2, 0xff, 2, 0], "at {0}, byte 1: text is not UTF-8"),
        (
            #"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": {"type": "array", "items": "string"}}]}"#,
            [2, 4, 2, 0x61, 2, 0xff, 0], "at b[1], byte 4: text is not UTF-8"
        ),
    ]

    @Test("Bytes that aren't the schema's are refused with the path and the byte", arguments: malformed)
    func refusedBytes(schema: String, bytes: [UInt8], message: String) throws {
        let schema = try AvroSchema(parsing: schema)
        let error = try #require(throws: DionysusError.self) { try schema.decode(bytes) }
        #expect(error.code == .malformed)
        #expect(error.description.contains(message), "\(error)")
    }

    @Test func nestingHasAnEnd() throws {
        let schema = try AvroSchema(
            parsing: #"{"type": "record", "name": "List", "fields": [{"name": "next", "type": ["null", "List"]}]}"#
        )
        _ = try schema.decode([UInt8](repeating: 2, count: 400) + [0])
        let error = try #require(throws: DionysusError.self) {
            try schema.decode([UInt8](repeating: 2, count: 100_000))
        }
        #expect(error.description.contains("nested over 512 levels"))
        // A record that can't end, and takes no bytes to say so.
        let endless = try AvroSchema(
            parsing: #"{"type": "record", "name": "R", "fields": [{"name": "r", "type": "R"}]}"#
        )
        #expect(throws: DionysusError.self) { try endless.decode([]) }
    }

    @Test func recordsThatDoubleWithoutBytesAreStopped() throws {
        var type = #""null""#
        for level in 0..<40 {
            type = """
                {"type":"record","name":"R\(level)","fields":[{"name":"a","type":\(type)},\
                {"name":"b","type":\(level == 0 ? #""null""# : "\"R\(level - 1)\"")}]}
                """
        }
        let schema = try AvroSchema(parsing: type)
        let error = try #require(throws: DionysusError.self) { try schema.decode([]) }
        #expect(error.description.contains("values that take no bytes"))
        // Also where the reader doesn't want them.
        let reader = try AvroSchema(parsing: #"{"type": "record", "name": "R39", "fields": []}"#)
        #expect(throws: DionysusError.self) { try AvroPlan(from: schema, to: reader).value(from: []) }
    }
}
