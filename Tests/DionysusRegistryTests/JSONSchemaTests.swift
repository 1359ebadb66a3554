import Dionysus
import DionysusRegistryTesting
import DionysusSchemas
import Testing

/// JSON Schema.
@Suite(.timeLimit(.minutes(10))) struct JSONSchemaTests {
    /// A schema, a value that fits and one that doesn't.
    static let cases: [(schema: String, fits: String, misfits: String)] = [
        (#"{"type": "integer"}"#, "1", "1.5"),
        (#"{"type": "integer"}"#, "1.0", #""1""#),
        (#"{"type": "number"}"#, "1", "true"),
        (#"{"type": ["null", "string"]}"#, "null", "0"),
        (#"{"type": "boolean"}"#, "false", "null"),
        (#"{"type": "object", "required": ["a"]}"#, #"{"a": null}"#, "{}"),
        (#"{"properties": {"a": {"type": "string"}}}"#, #"{"a": "", "b": 1}"#, #"{"a": 1}"#),
        (#"{"properties": {"a": true}, "additionalProperties": false}"#, #"{"a": 1}"#, #"{"a": 1, "b": 1}"#),
        (#"{"additionalProperties": {"type": "integer"}}"#, #"{"a": 1}"#, #"{"a": ""}"#),
        (
            #"{"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": false}"#, #"{"x-a": 1}"#,
            #"{"y": 1}"#
        ),
        (#"{"minProperties": 1, "maxProperties": 1}"#, #"{"a": 1}"#, "{}"),
        (#"{"items": {"type": "integer"}}"#, "[1, 2]", #"[1, "2"]"#),
        (#"{"prefixItems": [{"type": "integer"}], "items": false}"#, "[1]", "[1, 2]"),
        (#"{"items": [{"type": "integer"}], "additionalItems": {"type": "string"}}"#, #"[1, "a"]"#, "[1, 2]"),
        (#"{"minItems": 1, "maxItems": 2}"#, "[1]", "[1, 2, 3]"),
        (#"{"uniqueItems": true}"#, "[1, 2]", "[1, 1]"),
        (#"{"enum": ["a", 1]}"#, "1.0", #""b""#),
        (#"{"const": {"a": 1}}"#, #"{"a": 1}"#, "1"),
        (#"{"minimum": 1, "maximum": 2}"#, "2", "2.5"),
        (#"{"exclusiveMinimum": 1, "exclusiveMaximum": 2}"#, "1.5", "1"),
        (#"{"minimum": 1, "exclusiveMinimum": true}"#, "1.5", "1"),
        (#"{"multipleOf": 0.01}"#, "4.35", "4.355"),
        (#"{"minLength": 2, "maxLength": 2}"#, #""äß""#, #""a""#),
        (#"{"pattern": "^[a-z]+$"}"#, #""abc""#, #""ABC""#),
        (#"{"allOf": [{"type": "integer"}, {"minimum": 1}]}"#, "1", "0"),
        (#"{"anyOf": [{"type": "integer"}, {"type": "null"}]}"#, "null", #""a""#),
        (#"{"oneOf": [{"type": "integer"}, {"minimum": 1}]}"#, "0", "1"),
        (#"{"not": {"type": "null"}}"#, "1", "null"),
        (#"{"if": {"type": "string"}, "then": {"minLength": 1}, "else": {"minimum": 1}}"#, "1", #""""#),
        (##"{"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "integer"}}}"##, "1", #""""#),
        (
            ##"{"properties": {"next": {"$ref": "#"}}, "required": ["id"]}"##, #"{"id": 1, "next": {"id": 2}}"#,
            #"{"id": 1, "next": {}}"#
        ),
        ("true", "1", ""), ("{}", "1", ""), ("false", "", "1"),
    ]

    @Test("values fit their schema or don't", arguments: cases)
    func values(schema: String, fits: String, misfits: String) throws {
        let schema = try JSONSchema(parsing: schema)
        if !fits.isEmpty { try schema.check(JSON(parsing: Array(fits.utf8))) }
        guard !misfits.isEmpty else { return }
        let error = #expect(throws: DionysusError.self) { try schema.check(JSON(parsing: Array(misfits.utf8))) }
        #expect(error?.code == .malformed)
    }

    @Test("an error says where")
    func path() throws {
        let schema = try JSONSchema(
            parsing: #"{"properties": {"rooms": {"items": {"properties": {"beds": {"type": "integer"}}}}}}"#
        )
        let error = #expect(throws: DionysusError.self) {
            try schema.check(["rooms": [["beds": 1], ["beds": "secret"]]])
        }
        #expect(error?.message.contains("rooms[1].beds") == true)
        #expect(error?.message.contains("secret") == false)
    }

    @Test(
        "schemas that lead nowhere end",
        arguments: [
            ##"{"$ref": "#"}"##, ##"{"$ref": "#/nowhere"}"##, #"{"$ref": "other"}"#, #"{"pattern": "("}"#,
            ##"{"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}"##,
        ]
    )
    func endless(text: String) throws {
        let schema = try JSONSchema(parsing: text)
        #expect(throws: DionysusError.self) { try schema.check("a") }
    }

    @Test("what is no schema is an error", arguments: ["1", "[]", "\"a\"", "{"])
    func none(text: String) { #expect(throws: DionysusError.self) { try JSONSchema(parsing: text) } }

    @Test("schemas of the registry are found by what a reference calls them")
    func references() async throws {
        let registry = InMemorySchemaRegistry()
        let client = try registry.client()
        _ = try await client.register(RegistrySchema(.json, #"{"type": "integer"}"#), under: "id")
        let schema = RegistrySchema(
            .json,
            #"{"properties": {"id": {"$ref": "id.json"}}}"#,
            references: [SchemaReference(name: "id.json", subject: "id", version: 1)]
        )
        let serde = SchemaSerde(try JSONSchemaFormat.json(schema), registry: client)
        _ = try await serde.serialize(["id": 1], topic: "t")
        await #expect(throws: DionysusError.self) { try await serde.serialize(["id": "a"], topic: "t") }
    }

    @Test(
        "the registry refuses what breaks readers of JSON",
        arguments: [
            (#"{"type": "integer"}"#, #"{"type": "number"}"#, true),
            (#"{"type": "number"}"#, #"{"type": "integer"}"#, false),
            (#"{"enum": ["a"]}"#, #"{"enum": ["a", "b"]}"#, true),
            (#"{"enum": ["a", "b"]}"#, #"{"enum": ["a"]}"#, false),
            (
                #"{"properties": {"a": {}}, "additionalProperties": false}"#,
                #"{"properties": {"a": {}, "b": {"type": "string"}}, "additionalProperties": false}"#, true
            ),
            (#"{"properties": {"a": {}}}"#, #"{"properties": {"a": {}, "b": {"type": "string"}}}"#, false),
            (#"{"properties": {"a": {}}}"#, #"{"properties": {"a": {}}, "required": ["a"]}"#, false),
            (#"{"properties": {"a": {"type": "string"}}}"#, #"{"properties": {"a": {"type": "integer"}}}"#, false),
        ]
    )
    func compatibility(old: String, new: String, isCompatible: Bool) async throws {
        let registry = InMemorySchemaRegistry()
        let client = try registry.client()
        _ = try await client.register(RegistrySchema(.json, old), under: "a")
        let faults = try await client.incompatibilities(of: RegistrySchema(.json, new), with: "a")
        #expect(faults.isEmpty == isCompatible)
    }
}
