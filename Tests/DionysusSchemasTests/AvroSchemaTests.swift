import Dionysus
import DionysusSchemas
import Foundation
import Testing

@Suite struct AvroSchemaTests {
    @Test("Schemas have the canonical form and the fingerprint that Apache's own tests say", arguments: canonicalCases)
    func canonicalForms(testCase: CanonicalCase) throws {
        let schema = try AvroSchema(parsing: testCase.input)
        #expect(schema.canonicalForm == testCase.form)
        if let crc64 = testCase.crc64 { #expect(schema.crc64 == UInt64(bitPattern: crc64)) }
        #expect(try AvroSchema(parsing: testCase.form).canonicalForm == testCase.form)
    }

    @Test func aFingerprintIsMadeInThreeWays() throws {
        let schema = try AvroSchema(parsing: #""int""#)
        func hexadecimal(_ algorithm: AvroSchema.FingerprintAlgorithm) -> String {
            schema.fingerprint(algorithm).map { String(format: "%02x", $0) }.joined()
        }
        #expect(hexadecimal(.crc64) == "7275d51a3f395c8f")
        #expect(hexadecimal(.md5) == "ef524ea1b91e73173d938ade36c1db32")
        #expect(hexadecimal(.sha256) == "3f2b87a9fe7cc9b13835598c3981cd45e3e355309e5090aa0933d7becb6fba45")
    }

    @Test func namesAreThoseOfTheNamespaceAround() throws {
        let schema = try AvroSchema(
            parsing: """
                {"type": "record", "name": "A", "namespace": "x.y", "fields": [
                  {"name": "own", "type": {"type": "enum", "name": "B", "symbols": ["S"]}},
                  {"name": "other", "type": {"type": "fixed", "name": "z.C", "size": 2}},
                  {"name": "none", "type": {"type": "record", "name": "D", "namespace": "", "fields": [
                    {"name": "again", "type": "x.y.B"}]}},
                  {"name": "b", "type": "B"}, {"name": "c", "type": "z.C"}, {"name": "a", "type": ["null", "A"]}]}
                """
        )
        #expect(schema.name == "x.y.A")
        #expect(
            schema.canonicalForm == """
                {"name":"x.y.A","type":"record","fields":[{"name":"own","type":{"name":"x.y.B","type":"enum",\
                "symbols":["S"]}},{"name":"other","type":{"name":"z.C","type":"fixed","size":2}},{"name":"none",\
                "type":{"name":"D","type":"record","fields":[{"name":"again","type":"x.y.B"}]}},{"name":"b",\
                "type":"x.y.B"},{"name":"c","type":"z.C"},{"name":"a","type":["null","x.y.A"]}]}
                """
        )
        #expect(try AvroSchema(schema.document) == schema)
    }

    @Test func theDocumentKeepsWhatAvroDoesNotDefine() throws {
        let text = """
            {"type":"record","name":"R","namespace":"n","doc":"d","aliases":["Old"],"owner":{"team":[1]},"fields":[\
            {"name":"at","type":{"type":"long","logicalType":"timestamp-millis","unit":"ms"},"doc":"when","default":5,\
            "order":"ignore","aliases":["time"],"x":null},{"name":"e","type":{"type":"enum","name":"E","default":"A",\
            "symbols":["A","B"]}},{"name":"m","type":{"type":"map","note":"n","values":"string"}},\
            {"name":"unknown","type":{"type":"string","logicalType":"colour"}}]}
            """
        #expect(try AvroSchema(parsing: text).description == text)
    }

    /// What is wrong, and the place that the error names.
    static let wrong: [(String, String)] = [
        ("{}", "at $: the type is missing"),
        ("12", "at $: a schema is a name"),
        (#""Nothing""#, "there is no type \"Nothing\""),
        (#"{"type": "record", "name": "R"}"#, "at $: fields"),
        (#"{"type": "record", "fields": []}"#, "at $: the name is missing"),
        (#"{"type": "record", "name": "int", "fields": []}"#, "at $.name: int is the name of a primitive"),
        (#"{"type": "record", "name": "a-b", "fields": []}"#, "at $.name: \"a-b\" is no name"),
        (#"{"type": "record", "name": "1a", "fields": []}"#, "at $.name: \"1a\" is no name"),
        (#"{"type": "record", "name": "a..b", "fields": []}"#, "at $.name: \"\" is no name"),
        (#"{"type": "record", "name": "R", "namespace": null, "fields": []}"#, "at $.namespace"),
        (#"{"type": "record", "name": "R", "fields": [{"name": "a"}]}"#, "at $.fields[0]: type is missing"),
        (#"{"type": "record", "name": "R", "fields": [{"type": "int"}]}"#, "at $.fields[0]: the field's name"),
        (
            #"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}]}"#,
            "at $.fields[1]: the record has a field \"a\" already"
        ),
        (
            #"{"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": "Q"}}]}"#,
            "at $.fields[0].type.items: there is no type \"Q\""
        ),
        (
            #"{"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "enum", "name": "R", "symbols": []}}]}"#,
            "at $.fields[0].type: the type R is defined already"
        ),
        (#"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "order": "up"}]}"#, "[0].order"),
        (#"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "aliases": [1]}]}"#, "aliases[0]"),
        (#"{"type": "enum", "name": "E", "symbols": ["A", "A"]}"#, "at $.symbols[1]"),
        (#"{"type": "enum", "name": "E", "symbols": ["A-B"]}"#, "at $.symbols[0]"),
        (#"{"type": "enum", "name": "E", "symbols": ["A"], "default": "B"}"#, "at $.default"),
        (#"{"type": "fixed", "name": "F", "size": -1}"#, "at $: size"),
        (#"{"type": "fixed", "name": "F", "size": "1"}"#, "at $: size"),
        (#"{"type": "array"}"#, "at $: items is missing"),
        (#"{"type": "map"}"#, "at $: values is missing"),
        (#"["int", "int"]"#, "at $[1]: the union has int twice"),
        (#"["int", ["null"]]"#, "at $[1]: a union stands directly in a union"),
        (#"{"type": "int", "logicalType": "uuid"}"#, "at $: uuid is no logical type of int"),
        (#"{"type": "bytes", "logicalType": "decimal"}"#, "at $: a decimal needs a precision"),
        (#"{"type": "bytes", "logicalType": "decimal", "precision": 3, "scale": 4}"#, "at $: a decimal's scale"),
        (
            #"{"type": "fixed", "name": "F", "size": 2, "logicalType": "decimal", "precision": 5}"#,
            "at $: 2 bytes don't hold a decimal of 5 digits"
        ),
        (
            #"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "default": "1"}]}"#,
            "at $.fields[0].default: text is no int"
        ),
        (
            #"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "default": 2147483648}]}"#,
            "at $.fields[0].default: an integer is no int"
        ),
        (
            #"{"type": "record", "name": "R", "fields": [{"name": "a", "type": ["string", "null"], "default": null}]}"#,
            "a union's default is of its first branch"
        ),
        (
            """
            {"type": "record", "name": "R", "fields": [{"name": "a", "default": {"b": [1, "x"]}, "type": {"type": "record",
             "name": "Q", "fields": [{"name": "b", "type": {"type": "array", "items": "int"}}]}}]}
            """, "at $.fields[0].default.b[1]: text is no int"
        ),
        (
            #"{"type": "record", "name": "R", "fields": [{"name": "a", "type": ["null", "R"], "default": 1}]}"#,
            "at $.fields[0].default: an integer is no null"
        ),
        (
            #"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "R", "default": {}}]}"#,
            "the default is too large, or contains itself"
        ),
    ]

    @Test("What is wrong with a schema is said with its place", arguments: wrong)
    func refused(text: String, place: String) throws {
        let error = try #require(throws: DionysusError.self) { try AvroSchema(parsing: text) }
        #expect(error.code == .malformed)
        #expect(error.message.contains(place), "\(error.message)")
    }

    @Test(
        "A schema of others is taken if its data can be read",
        arguments: [
            #"{"type": "record", "name": "a-b", "namespace": "com.my-namespace", "fields": []}"#,
            #"{"type": "record", "name": "R", "namespace": null, "fields": []}"#,
            #"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "default": "1"}]}"#,
            #"{"type": {"type": "int"}}"#,
            #"{"type": "fixed", "name": "F", "size": "016"}"#,
            #"{"type": "bytes", "logicalType": "decimal"}"#,
            #"{"type": "enum", "name": "E", "symbols": ["A"], "default": "B"}"#,
        ]
    )
    func lenient(text: String) throws {
        #expect(throws: DionysusError.self) { try AvroSchema(parsing: text) }
        _ = try AvroSchema(parsing: text, .lenient)
    }

    @Test func aDocumentThatIsNestedWithoutEndIsRefused() throws {
        let text =
            String(repeating: #"{"type":"array","items":"#, count: 400) + #""int""# + String(repeating: "}", count: 400)
        let error = try #require(throws: DionysusError.self) { try AvroSchema(parsing: text, .lenient) }
        #expect(error.message.contains("nested"))
    }

    @Test func schemasNameEachOthersTypes() throws {
        var schemas = AvroSchemas()
        try schemas.add(
            #"{"type": "record", "name": "Order", "namespace": "a", "fields": [{"name": "line", "type": "Line"}, {"name": "colour", "type": "b.Colour"}]}"#
        )
        try schemas.add(
            #"{"type": "record", "name": "a.Line", "fields": [{"name": "order", "type": ["null", "Order"]}]}"#
        )
        try schemas.add(#"{"type": "enum", "name": "b.Colour", "symbols": ["red"]}"#)
        let order = try schemas.schema(named: "a.Order")
        #expect(
            order.canonicalForm == """
                {"name":"a.Order","type":"record","fields":[{"name":"line","type":{"name":"a.Line","type":"record",\
                "fields":[{"name":"order","type":["null","a.Order"]}]}},{"name":"colour","type":{"name":"b.Colour",\
                "type":"enum","symbols":["red"]}}]}
                """
        )
        let error = try #require(throws: DionysusError.self) { try schemas.schema(named: "a.Nobody") }
        #expect(error.code == .notFound)
    }

    @Test func schemasAreFoundInFoldersByTheirNamespaces() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        let inner = folder.appendingPathComponent("com/my-namespace")
        try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
        try Data(
            #"{"type": "record", "name": "A", "namespace": "com.my-namespace", "fields": [{"name": "b", "type": "B"}]}"#
                .utf8
        )
        .write(to: inner.appendingPathComponent("A.avsc"))
        try Data(#"{"type": "fixed", "name": "B", "namespace": "com.my-namespace", "size": 3}"#.utf8)
            .write(to: inner.appendingPathComponent("B.avsc"))
        try Data(#"{"type": "fixed", "name": "Other", "size": 3}"#.utf8)
            .write(to: inner.appendingPathComponent("C.avsc"))
        let schemas = AvroSchemas(folder: folder.path)
        let schema = try schemas.schema(named: "com.my-namespace.A", .lenient)
        #expect(schema.canonicalForm.contains(#""name":"com.my-namespace.B","type":"fixed","size":3"#))
        #expect(throws: DionysusError.self) { try schemas.schema(named: "com.my-namespace.C", .lenient) }
        for name in ["com.my-namespace.Z", "com...A", "com.my-namespace/A", "/com.my-namespace.A", ""] {
            let error = try #require(throws: DionysusError.self) { try schemas.schema(named: name, .lenient) }
            #expect(error.code == .notFound)
        }
    }
}
