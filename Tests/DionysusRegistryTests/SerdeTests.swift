import Dionysus
import DionysusProtobuf
import DionysusRegistryTesting
import DionysusSchemas
import ProtobufExamples
import TestSupport
import Testing

/// Data with a registry's schemas.
@Suite(.timeLimit(.minutes(10))) struct SerdeTests {
    private let registry = InMemorySchemaRegistry()

    struct Person: Codable, Hashable, Sendable {
        var name: String
    }

    static let person = """
        {"type": "record", "name": "Person", "namespace": "com.example", "fields": [{"name": "name", "type": "string"}]}
        """
    static let personWithAge = """
        {"type": "record", "name": "Person", "namespace": "com.example", "fields": [
          {"name": "name", "type": "string"}, {"name": "age", "type": "int", "default": 0}]}
        """

    private func client(_ change: (inout SchemaRegistrySettings) -> Void = { _ in }) throws -> SchemaRegistryClient {
        var settings = registry.settings
        change(&settings)
        return try SchemaRegistryClient(settings, transport: registry)
    }

    @Test("a value is written behind its schema's id, and read back")
    func roundTrip() async throws {
        let serde = SchemaSerde(
            AvroFormat.codable(Person.self, try AvroSchema(parsing: Self.person)),
            registry: try client()
        )
        let data = try await serde.serialize(Person(name: "my name"), topic: "people")
        #expect(data.bytes == [0, 0, 0, 0, 1] + Array("\u{e}my name".utf8))
        #expect(data.header == nil)
        #expect(try await serde.deserialize(data.bytes) == Person(name: "my name"))
        #expect(try await client().subjects() == ["people-value"])
    }

    @Test("the registry is asked once for a schema, however many values and tasks there are")
    func askedOnce() async throws {
        let registryClient = try client()
        let schema = try AvroSchema(parsing: Self.person)
        let serde = SchemaSerde(AvroFormat.codable(Person.self, schema), registry: registryClient)
        let all = try await withThrowingTaskGroup(of: FramedData.self) { group in
            for number in 0..<100 {
                group.addTask { try await serde.serialize(Person(name: "\(number)"), topic: "people") }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        for data in all { _ = try await serde.deserialize(data.bytes) }
        #expect(
            registry.requests.map(\.description) == ["POST /subjects/people-value/versions", "GET /schemas/ids/1"]
        )
    }

    @Test("data of another version of the schema is read as one's own")
    func evolution() async throws {
        let newer = SchemaSerde(AvroFormat.json(try AvroSchema(parsing: Self.personWithAge)), registry: try client())
        let older = SchemaSerde(AvroFormat.json(try AvroSchema(parsing: Self.person)), registry: try client())
        let old = try await older.serialize(["name": "Ann"], topic: "people")
        let new = try await newer.serialize(["name": "Ann", "age": 25], topic: "people")
        #expect(new.bytes[4] == 2)
        #expect(try await older.deserialize(new.bytes) == ["name": "Ann"])
        #expect(try await newer.deserialize(old.bytes) == ["name": "Ann", "age": 0])
        let any = SchemaSerde(AvroFormat.json(), registry: try client())
        #expect(try await any.deserialize(new.bytes) == ["name": "Ann", "age": 25])
    }

    @Test("schemas of others are found through their references")
    func references() async throws {
        let registryClient = try client()
        _ = try await registryClient.register(RegistrySchema(.avro, Self.person), under: "person")
        let team = RegistrySchema(
            .avro,
            """
            {"type": "record", "name": "Team", "fields": [
              {"name": "people", "type": {"type": "array", "items": "com.example.Person"}}]}
            """,
            references: [SchemaReference(name: "com.example.Person", subject: "person", version: 1)]
        )
        let found = try await registryClient.register(team, under: "team-value")
        let serde = SchemaSerde(
            AvroFormat.json(try await AvroSchema(registryClient.resolve(found))),
            registry: try client { $0.registration = .latest }
        )
        let data = try await serde.serialize(["people": [["name": "Ann"], ["name": "Bob"]]], topic: "team")
        #expect(data.bytes[4] == 2)
        #expect(try await serde.deserialize(data.bytes) == ["people": [["name": "Ann"], ["name": "Bob"]]])
    }

    @Test("a header names the schema where that is asked for")
    func header() async throws {
        let registryClient = try client { $0.idPlacement = .header }
        let schema = try AvroSchema(parsing: Self.person)
        let serde = SchemaSerde(AvroFormat.codable(Person.self, schema), registry: registryClient, part: .key)
        let data = try await serde.serialize(Person(name: "Ann"), topic: "people")
        #expect(data.bytes == Array("\u{6}Ann".utf8))
        let header = try #require(data.header)
        #expect(header.name == "__key_schema_id")
        #expect(try await serde.deserialize(data.bytes, headers: [header]) == Person(name: "Ann"))
    }

    @Test("a producer that only pushes needs its schema in the registry")
    func pushed() async throws {
        let schema = try AvroSchema(parsing: Self.person)
        let pushed = try client { $0.registration = .pushed }
        let serde = SchemaSerde(AvroFormat.codable(Person.self, schema), registry: pushed)
        let error = await #expect(throws: DionysusError.self) {
            try await serde.serialize(Person(name: "Ann"), topic: "people")
        }
        #expect(error?.code == .unknownSchema)
        #expect(error?.isRetriable == false)
        #expect(error?.advice?.contains("schemas push") == true)
        _ = try await client().register(RegistrySchema(schema), under: "people-value")
        #expect(try await serde.serialize(Person(name: "Ann"), topic: "people").bytes.count == 9)
    }

    @Test("the latest version of the subject is written where that is asked for, and a new one after a while")
    func latest() async throws {
        let serde = SchemaSerde(
            AvroFormat.json(),
            registry: try client {
                $0.registration = .latest
                $0.latestLifetime = .zero
            }
        )
        _ = try await client().register(RegistrySchema(.avro, Self.person), under: "people-value")
        #expect(try await serde.serialize(["name": "Ann", "age": 25], topic: "people").bytes.count == 9)
        _ = try await client().register(RegistrySchema(.avro, Self.personWithAge), under: "people-value")
        #expect(try await serde.serialize(["name": "Ann", "age": 25], topic: "people").bytes.count == 10)
    }

    @Test("JSON is checked against its schema, and stands behind the schema's id")
    func jsonSchema() async throws {
        let schema = RegistrySchema(
            .json,
            """
            {"title": "Person", "type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
            """
        )
        let serde = SchemaSerde(try JSONSchemaFormat.codable(Person.self, schema), registry: try client())
        let data = try await serde.serialize(Person(name: "my name"), topic: "people")
        #expect(data.bytes == [0, 0, 0, 0, 1] + Array(#"{"name":"my name"}"#.utf8))
        #expect(try await serde.deserialize(data.bytes) == Person(name: "my name"))

        let any = SchemaSerde(try JSONSchemaFormat.json(schema), registry: try client())
        let error = await #expect(throws: DionysusError.self) { try await any.serialize(["name": 1], topic: "people") }
        #expect(error?.code == .malformed)
        #expect(error?.message.contains("name") == true)
    }

    @Test("a message of Protobuf stands behind its schema's id and its place in the file")
    func protobuf() async throws {
        let registryClient = try client()
        let files = try ProtobufExamples.files
        let schema = try await files.schema(of: Feed_V1_Rental.protoMessageName, in: registryClient)
        #expect(
            schema.references == [
                SchemaReference(name: "feed/v1/money.proto", subject: "feed/v1/money.proto", version: 1)
            ]
        )
        let serde = SchemaSerde(try ProtobufFormat.message(Feed_V1_Rental.self, schema), registry: registryClient)
        var rental = Feed_V1_Rental()
        rental.id = 7
        rental.name = "Loft"
        rental.rooms = [.with { $0.name = "Attic" }]
        let data = try await serde.serialize(rental, topic: "rentals")
        #expect(data.bytes.prefix(7) == [0, 0, 0, 0, 2, 2, 2])
        #expect(try await serde.deserialize(data.bytes) == rental)

        let json = SchemaSerde(try ProtobufFormat.json(Feed_V1_Rental.self, schema), registry: registryClient)
        let same = try await json.serialize(
            ["id": 7, "name": "Loft", "rooms": [["name": "Attic"]], "unknown": true],
            topic: "rentals"
        )
        #expect(same == data)
        #expect(try await json.deserialize(data.bytes)["rooms"] == [["name": "Attic"]])
    }

    @Test("nested messages have a place of several numbers, and data of another message is refused")
    func nestedMessage() async throws {
        let registryClient = try client()
        let files = try ProtobufExamples.files
        let schema = try await files.schema(of: Feed_V1_Rental.Room.protoMessageName, in: registryClient)
        let serde = SchemaSerde(try ProtobufFormat.message(Feed_V1_Rental.Room.self, schema), registry: registryClient)
        let data = try await serde.serialize(.with { $0.name = "Attic" }, topic: "rooms")
        #expect(data.bytes.prefix(8) == [0, 0, 0, 0, 2, 4, 2, 0])
        let other = SchemaSerde(try ProtobufFormat.message(Feed_V1_Rental.self), registry: registryClient)
        let error = await #expect(throws: DionysusError.self) { try await other.deserialize(data.bytes) }
        #expect(error?.code == .declaration)
        #expect(error?.message.contains("feed.v1.Rental.Room") == true)
    }

    @Test("a message's place is given with a schema that is text")
    func protobufText() async throws {
        let text = RegistrySchema(.protobuf, "syntax = \"proto3\"; package feed.v1; message Rental { int64 id = 1; }")
        #expect(throws: DionysusError.self) { try ProtobufFormat.message(Feed_V1_Rental.self, text) }
        let format = try ProtobufFormat.message(Feed_V1_Rental.self, text, indexes: [0])
        let serde = SchemaSerde(format, registry: try client())
        let data = try await serde.serialize(.with { $0.id = 1 }, topic: "rentals")
        #expect(data.bytes == [0, 0, 0, 0, 1, 0, 8, 1])
        #expect(try await serde.deserialize(data.bytes).id == 1)
    }

    @Test("data with a schema of another language is refused")
    func otherLanguage() async throws {
        let json = SchemaSerde(try JSONSchemaFormat.json(RegistrySchema(.json, "{}")), registry: try client())
        let data = try await json.serialize([:], topic: "people")
        let avro = SchemaSerde(AvroFormat.json(), registry: try client())
        let error = await #expect(throws: DionysusError.self) { try await avro.deserialize(data.bytes) }
        #expect(error?.message.contains("JSON") == true)
    }

    @Test("damaged data is an error that says what it is, or other data")
    func damaged() async throws {
        let registryClient = try client()
        let avro = SchemaSerde(AvroFormat.json(try AvroSchema(parsing: Self.person)), registry: registryClient)
        let json = SchemaSerde(try JSONSchemaFormat.json(RegistrySchema(.json, "{}")), registry: registryClient)
        let files = try ProtobufExamples.files
        let schema = try await files.schema(of: Feed_V1_Rental.protoMessageName, in: registryClient)
        let protobuf = SchemaSerde(try ProtobufFormat.json(Feed_V1_Rental.self, schema), registry: registryClient)
        try await damage(try await avro.serialize(["name": "Ann"], topic: "a").bytes, avro)
        try await damage(try await json.serialize(["name": ["Ann"]], topic: "j").bytes, json)
        try await damage(try await protobuf.serialize(["name": "Ann", "id": 1], topic: "p").bytes, protobuf)
    }

    private func damage<Format: SchemaFormat>(_ bytes: [UInt8], _ serde: SchemaSerde<Format>) async throws {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<2_000 {
            var damaged = bytes
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: 0..<damaged.count, using: &generator)
                damaged[place] = UInt8.random(in: 0...255, using: &generator)
            }
            damaged.removeLast(Int.random(in: 0...damaged.count / 4, using: &generator))
            do {
                _ = try await serde.deserialize(damaged)
            } catch {
                #expect(error is DionysusError)
            }
        }
    }
}
