import Dionysus
import DionysusSchemas
import Testing

@Suite struct AvroResolutionTests {
    static func record(_ fields: String, name: String = "R", more: String = "") -> String {
        #"{"type": "record", "name": "\#(name)", \#(more) "fields": [\#(fields)]}"#
    }

    /// A writer's schema and value, a reader's schema, and what it reads.
    static let resolved: [(String, AvroValue, String, AvroValue)] = [
        ("int", .int(5), "long", .long(5)),
        ("int", .int(5), "float", .float(5)),
        ("int", .int(-5), "double", .double(-5)),
        ("long", .long(1 << 40), "float", .float(1_099_511_627_776)),
        ("long", .long(5), "double", .double(5)),
        ("float", .float(1.5), "double", .double(1.5)),
        ("string", .string("é"), "bytes", .bytes([0xc3, 0xa9])),
        ("bytes", .bytes([0xc3, 0xa9]), "string", .string("é")),
        (
            #"{"type": "array", "items": "int"}"#, .array([.int(1)]), #"{"type": "array", "items": "double"}"#,
            .array([.double(1)])
        ),
        (
            #"{"type": "map", "values": "int"}"#, .map(["a": .int(1)]), #"{"type": "map", "values": "long"}"#,
            .map(["a": .long(1)])
        ),
        // A union at one side, or at both.
        ("int", .int(1), #"["null", "int"]"#, .int(1)),
        ("int", .int(1), #"["string", "double", "long"]"#, .double(1)),
        ("int", .int(1), #"["long", "int"]"#, .int(1)),
        (#"["null", "int"]"#, .int(1), "long", .long(1)),
        (#"["null", "int"]"#, .null, #"["long", "null"]"#, .null),
        (#"["null", "int"]"#, .int(3), #"["long", "null"]"#, .long(3)),
        // Fields in another order, unknown ones, defaults, aliases.
        (
            record(#"{"name": "a", "type": "int"}, {"name": "b", "type": "string"}"#),
            .record("R", ["a": .int(1), "b": .string("x")]),
            record(#"{"name": "b", "type": "string"}, {"name": "a", "type": "long"}"#),
            .record("R", ["b": .string("x"), "a": .long(1)])
        ),
        (
            record(
                """
                {"name": "gone", "type": {"type": "array", "items": {"type": "map", "values": ["null", "double"]}}},
                {"name": "fixed", "type": {"type": "fixed", "name": "F", "size": 2}}, {"name": "kept", "type": "int"}
                """
            ),
            .record(
                "R",
                [
                    "gone": .array([.map(["k": .double(1)]), .map(["l": .null])]), "fixed": .fixed("F", [1, 2]),
                    "kept": .int(7),
                ]
            ),
            record(#"{"name": "kept", "type": "int"}"#), .record("R", ["kept": .int(7)])
        ),
        (
            record(#"{"name": "a", "type": "int"}"#), .record("R", ["a": .int(1)]),
            record(
                """
                {"name": "n", "type": ["null", "int"], "default": null}, {"name": "a", "type": "int"},
                {"name": "l", "type": {"type": "array", "items": "int"}, "default": [1, 2]},
                {"name": "m", "type": {"type": "map", "values": "boolean"}, "default": {"x": true}},
                {"name": "r", "type": {"type": "record", "name": "Q", "fields": [{"name": "s", "type": "string"},
                 {"name": "t", "type": "int", "default": 9}]}, "default": {"s": "d"}},
                {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}, "default": "B"},
                {"name": "f", "type": "float", "default": "NaN"}
                """
                .replacing("\"NaN\"", with: "0.5")
            ),
            .record(
                "R",
                [
                    "n": .null, "a": .int(1), "l": .array([.int(1), .int(2)]), "m": .map(["x": .boolean(true)]),
                    "r": .record("Q", ["s": .string("d"), "t": .int(9)]), "e": .enumeration("E", "B"), "f": .float(0.5),
                ]
            )
        ),
        (
            record(#"{"name": "old", "type": "int"}"#, name: "x.Before"), .record("x.Before", ["old": .int(1)]),
            record(
                #"{"name": "new", "type": "int", "aliases": ["older", "old"]}"#,
                name: "y.After",
                more: #""aliases": ["x.Before"],"#
            ), .record("y.After", ["new": .int(1)])
        ),
        // A name goes before an alias.
        (
            record(#"{"name": "a", "type": "int"}, {"name": "b", "type": "int"}"#),
            .record("R", ["a": .int(1), "b": .int(2)]),
            record(#"{"name": "c", "type": "int", "aliases": ["a"], "default": 0}, {"name": "a", "type": "int"}"#),
            .record("R", ["c": .int(0), "a": .int(1)])
        ),
        // Namespaces don't have to agree.
        (
            record("", name: "a.b.R"), .record("a.b.R", [:]), record("", name: "c.R"), .record("c.R", [:])
        ),
        (
            #"{"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}"#, .enumeration("E", "C"),
            #"{"type": "enum", "name": "E", "symbols": ["C", "A"], "default": "A"}"#, .enumeration("E", "C")
        ),
        (
            #"{"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}"#, .enumeration("E", "B"),
            #"{"type": "enum", "name": "E", "symbols": ["C", "A"], "default": "A"}"#, .enumeration("E", "A")
        ),
        // Types that contain themselves.
        (
            record(#"{"name": "v", "type": "int"}, {"name": "next", "type": ["null", "R"]}"#),
            .record("R", ["v": .int(1), "next": .record("R", ["v": .int(2), "next": .null])]),
            record(
                #"{"name": "next", "type": ["R", "null"]}, {"name": "v", "type": "long"}, {"name": "x", "type": "int", "default": 3}"#
            ),
            .record(
                "R",
                ["next": .record("R", ["next": .null, "v": .long(2), "x": .int(3)]), "v": .long(1), "x": .int(3)]
            )
        ),
        // Of several records, the one of the same name.
        (
            record(#"{"name": "a", "type": "int"}"#, name: "B"), .record("B", ["a": .int(1)]),
            "[\(record(#"{"name": "a", "type": "int"}"#, name: "A")), \(record(#"{"name": "a", "type": "long"}"#, name: "B"))]",
            .record("B", ["a": .long(1)])
        ),
        // A default of a branch that isn't the first, which others may write.
        (
            record(""), .record("R", [:]),
            record(#"{"name": "a", "type": ["string", "null"], "default": null}"#), .record("R", ["a": .null])
        ),
        // Logical types that mean the same number.
        (
            "long", .long(1), #"{"type": "long", "logicalType": "timestamp-millis"}"#, .long(1)
        ),
        (
            #"{"type": "long", "logicalType": "timestamp-millis"}"#, .long(1),
            #"{"type": "long", "logicalType": "local-timestamp-millis"}"#, .long(1)
        ),
    ]

    @Test("Data of one schema is read as another's", arguments: resolved)
    func reads(writer: String, value: AvroValue, reader: String, expected: AvroValue) throws {
        let writer = try AvroSchema(parsing: writer)
        let reader = try AvroSchema(parsing: reader, .lenient)
        let bytes = try writer.encode(value)
        #expect(try AvroPlan(from: writer, to: reader).value(from: bytes) == expected)
        // What comes out is the reader's.
        #expect(try reader.decode(reader.encode(expected)) == expected)
    }

    /// Two schemas that have nothing to say to each other, and why.
    static let unresolved: [(String, String, String)] = [
        ("long", "int", "long, as it was written, can't be read as int"),
        ("double", "float", "double, as it was written, can't be read as float"),
        ("string", "int", "can't be read as int"),
        ("null", "boolean", "can't be read as boolean"),
        ("int", #"["string", "boolean"]"#, "no branch that reads int"),
        (#"["string", "boolean"]"#, "int", "string, as it was written, can't be read as int"),
        (record(""), record("", name: "Q"), "the writer's name is R, the reader's Q"),
        (
            record(""), record(#"{"name": "a", "type": "int"}"#),
            "a: the writer has no such field, and the reader no default"
        ),
        (
            record(#"{"name": "a", "type": {"type": "array", "items": "long"}}"#),
            record(#"{"name": "a", "type": {"type": "array", "items": "int"}}"#), "a[]: long, as it was written"
        ),
        (
            record(#"{"name": "a", "type": {"type": "map", "values": "long"}}"#),
            record(#"{"name": "a", "type": {"type": "map", "values": "int"}}"#), "a{}: long, as it was written"
        ),
        (
            #"{"type": "fixed", "name": "F", "size": 2}"#, #"{"type": "fixed", "name": "F", "size": 3}"#,
            "F was written with 2 bytes and is read with 3"
        ),
        (
            #"{"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}"#,
            #"{"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 3}"#,
            "decimal(10, 2) was written, and the same number means something else as decimal(10, 3)"
        ),
        (
            #"{"type": "long", "logicalType": "timestamp-millis"}"#,
            #"{"type": "long", "logicalType": "timestamp-micros"}"#,
            "timestamp-millis was written, and the same number means something else as timestamp-micros"
        ),
    ]

    @Test("Schemas that don't fit are refused before there is data, with the path", arguments: unresolved)
    func refuses(writer: String, reader: String, reason: String) throws {
        let writer = try AvroSchema(parsing: writer)
        let reader = try AvroSchema(parsing: reader)
        let error = try #require(throws: DionysusError.self) { try AvroPlan(from: writer, to: reader) }
        #expect(error.code == .declaration)
        #expect(error.description.contains(reason), "\(error)")
        #expect(reader.incompatibilities(reading: writer).contains { $0.description.contains(reason) })
    }

    @Test func allThatIsInTheWayIsSaidAtOnce() throws {
        let writer = try AvroSchema(
            parsing: Self.record(#"{"name": "a", "type": "long"}, {"name": "b", "type": "string"}"#)
        )
        let reader = try AvroSchema(
            parsing: Self.record(
                #"{"name": "a", "type": "int"}, {"name": "b", "type": "int"}, {"name": "c", "type": "int"}"#
            )
        )
        #expect(reader.incompatibilities(reading: writer).map(\.path) == ["a", "b", "c"])
    }

    @Test func whatSomeDataOnlyHasIsRefusedWhenItComes() throws {
        let writer = try AvroSchema(
            parsing: Self.record(
                """
                {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}}, {"name": "u", "type": ["int", "string"]}
                """
            )
        )
        let reader = try AvroSchema(
            parsing: Self.record(
                #"{"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A"]}}, {"name": "u", "type": "int"}"#
            )
        )
        let plan = try AvroPlan(from: writer, to: reader)
        func read(_ symbol: String, _ value: AvroValue) throws -> AvroValue {
            try plan.value(from: writer.encode(.record("R", ["e": .enumeration("E", symbol), "u": value])))
        }
        #expect(try read("A", .int(1)) == .record("R", ["e": .enumeration("E", "A"), "u": .int(1)]))
        let symbol = try #require(throws: DionysusError.self) { try read("B", .int(1)) }
        #expect(symbol.description.contains("at e, byte 0: the reader's enumeration has no symbol B"))
        let branch = try #require(throws: DionysusError.self) { try read("A", .string("s")) }
        #expect(branch.description.contains("at u, byte 2: string, as it was written, can't be read as int"))
        #expect(
            reader.incompatibilities(reading: writer).map(\.description) == [
                "e: the reader's E has no symbol B, and no default",
                "u: string, as it was written, can't be read as int",
            ]
        )
    }

    @Test func unionsOfManyRecordsAreComparedInReasonableTime() throws {
        let branches = (0..<600)
            .map {
                Self.record(
                    #"{"name": "a", "type": "int"}, {"name": "b", "type": ["null", "R\#($0)"]}"#,
                    name: "R\($0)"
                )
            }
        let schema = try AvroSchema(parsing: "[\(branches.joined(separator: ","))]")
        let reversed = try AvroSchema(parsing: "[\(branches.reversed().joined(separator: ","))]")
        let value = AvroValue.record("R3", ["a": .int(1), "b": .null])
        #expect(try AvroPlan(from: schema, to: reversed).value(from: schema.encode(value)) == value)
    }

    @Test func versionsAreHeldToWhatTheyPromise() throws {
        let first = try AvroSchema(parsing: Self.record(#"{"name": "a", "type": "int"}"#))
        let second = try AvroSchema(parsing: Self.record(#"{"name": "a", "type": "long"}"#))
        let third = try AvroSchema(
            parsing: Self.record(#"{"name": "a", "type": "long"}, {"name": "b", "type": "int"}"#)
        )
        let fourth = try AvroSchema(
            parsing: Self.record(
                #"{"name": "a", "type": "long"}, {"name": "b", "type": ["null", "int"], "default": null}"#
            )
        )
        func count(_ mode: AvroCompatibility, _ schema: AvroSchema, _ earlier: [AvroSchema]) -> Int {
            mode.faults(of: schema, after: earlier).count
        }
        #expect(count(.backward, second, [first]) == 0)
        #expect(count(.forward, second, [first]) == 1)
        #expect(count(.full, second, [first]) == 1)
        #expect(count(.backward, third, [second]) == 1)
        #expect(count(.forward, third, [second]) == 0)
        #expect(count(.forward, third, [first, second]) == 0)
        #expect(count(.forwardTransitive, third, [first, second]) == 1)
        #expect(count(.full, fourth, [first, second]) == 0)
        #expect(count(.backwardTransitive, fourth, [first, second]) == 0)
        #expect(count(.fullTransitive, fourth, [first, second]) == 1)
        #expect(count(.none, third, [first]) == 0)
        #expect(AvroCompatibility.full.faults(of: third, after: []).isEmpty)
        #expect(
            AvroCompatibility.backward.faults(of: third, after: [second]).map(\.description) == [
                "b: the writer has no such field, and the reader no default for it (the new version reads version 1)"
            ]
        )
    }
}
