import DionysusRegistryTesting
import DionysusSchemas
import Foundation
import TestSupport
import Testing

/// The commands that look at schemas, their data, and a registry.
@Suite(.timeLimit(.minutes(10)))
struct SchemasCommandTests {
    private static let schema = """
        {"type": "record", "name": "Rental", "namespace": "feed", "doc": "one", "fields": [
          {"name": "id", "type": "long"}, {"name": "name", "type": ["null", "string"], "default": null}]}
        """
    private static let newer = """
        {"type": "record", "name": "Rental", "namespace": "feed", "fields": [
          {"name": "id", "type": "long"}, {"name": "beds", "type": "int", "default": 1}]}
        """
    private static let incompatible = """
        {"type": "record", "name": "Rental", "namespace": "feed", "fields": [{"name": "id", "type": "string"}]}
        """

    @Test("files with schemas and data are looked at without anything else")
    func files() async throws {
        try await withTemporaryDirectory { directory in
            try await Installation.with(.embedded) { installation in
                func file(_ name: String, _ text: String = "") throws -> String {
                    if !text.isEmpty {
                        try text.write(toFile: "\(directory)/\(name)", atomically: true, encoding: .utf8)
                    }
                    return "\(directory)/\(name)"
                }
                let schema = try file("rental.avsc", Self.schema)
                let canonical = #"""
                    {"name":"feed.Rental","type":"record","fields":[{"name":"id","type":"long"},{"name":"name","type":["null","string"]}]}

                    """#
                #expect(try await installation.succeed("schemas", "canonical", schema) == canonical)
                let int = try file("int.avsc", "\"int\"")
                #expect(try await installation.succeed("schemas", "fingerprint", int) == "7275d51a3f395c8f\n")
                let md5 = try await installation.succeed("schemas", "fingerprint", int, "--algorithm", "md5")
                #expect(md5 == "ef524ea1b91e73173d938ade36c1db32\n")

                let lines = #"{"id":1,"name":{"string":"Loft"}}"# + "\n" + #"{"id":2,"name":null}"# + "\n"
                let data = try file("rentals.jsonl", lines)
                let (bare, container) = (try file("rentals.bin"), try file("rentals.avro"))
                try await installation.succeed("schemas", "encode", "--schema", schema, data, "--write", bare)
                try await installation.succeed(
                    "schemas",
                    "encode",
                    "--schema",
                    schema,
                    "--container",
                    data,
                    "--write",
                    container
                )
                #expect(try await installation.succeed("schemas", "decode", "--schema", schema, bare) == lines)
                #expect(try await installation.succeed("schemas", "decode", container) == lines)
                let plain = try await installation.succeed("schemas", "decode", "--plain", container)
                #expect(plain.hasPrefix(#"{"id":1,"name":"Loft"}"#))
                let newer = try file("newer.avsc", Self.newer)
                let read = try await installation.succeed("schemas", "decode", container, "--reader", newer)
                #expect(read == "{\"id\":1,\"beds\":1}\n{\"id\":2,\"beds\":1}\n")

                let wrong = try await installation.run(
                    "schemas",
                    "encode",
                    "--schema",
                    schema,
                    try file("wrong", "{}\n")
                )
                #expect(wrong.status == 1)
                #expect(wrong.errors.contains("line 1"))
                let none = try await installation.run("schemas", "canonical", try file("none.avsc"))
                #expect(none.status == 1)
                #expect(none.errors.contains("none.avsc"))
            }
        }
    }

    @Test("types and tables are generated for the schemas of a folder")
    func generate() async throws {
        try await withTemporaryDirectory { directory in
            try await Installation.with(.embedded) { installation in
                let folder = "\(directory)/feed"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                try Self.schema.write(toFile: "\(folder)/Rental.avsc", atomically: true, encoding: .utf8)
                let key =
                    #"{"type":"record","name":"Rental_key","namespace":"feed","fields":[{"name":"id","type":"long"}]}"#
                try key.write(toFile: "\(folder)/Rental_key.avsc", atomically: true, encoding: .utf8)
                let types = try await installation.succeed("schemas", "generate", directory)
                #expect(types.contains("struct Rental: Codable") && types.contains("struct RentalKey: Codable"))
                #expect(types.contains("        name: String? = nil\n"))
                let tables = try await installation.succeed(
                    "schemas",
                    "generate",
                    "--sql",
                    "--database",
                    "sqlite",
                    directory
                )
                #expect(tables.contains("CREATE TABLE") && tables.contains("rentals") && tables.contains("name"))
                #expect(!tables.contains("key"))
                let models = "\(directory)/Models.swift"
                try await installation.succeed("schemas", "generate", "--models", directory, "--write", models)
                #expect(try String(contentsOfFile: models, encoding: .utf8).contains("struct Rental: Model"))
                let none = try await installation.run("schemas", "generate", "\(directory)/none")
                #expect(none.status == 1)
                #expect(none.errors.contains("none"))
            }
        }
    }

    @Test("schemas are pushed, checked, listed and shown")
    func registry() async throws {
        let server = try await SchemaRegistryServer.start(
            InMemorySchemaRegistry(access: .basic(user: "user", password: "s3same"))
        )
        try await withTemporaryDirectory { directory in
            try await Installation.with(.embedded) { installation in
                let missing = try await installation.run("schemas", "list")
                #expect(missing.status == 1)
                #expect(missing.errors.contains("DIONYSUS_SCHEMA_REGISTRY_URL"))

                var installation = installation
                let url = server.url.replacing("http://", with: "http://user:s3same@")
                installation.environment["DIONYSUS_SCHEMA_REGISTRY_URL"] = url
                let schema = "\(directory)/rental.avsc"
                let incompatible = "\(directory)/incompatible.avsc"
                try Self.schema.write(toFile: schema, atomically: true, encoding: .utf8)
                try Self.incompatible.write(toFile: incompatible, atomically: true, encoding: .utf8)

                let subject = ["--subject", "feed_rentals-value"]
                for _ in 1...2 {
                    let pushed = try await installation.run(["schemas", "push", schema] + subject)
                    #expect(pushed.output == "feed_rentals-value: version 1, id 1\n")
                }
                #expect(try await installation.run(["schemas", "check", schema] + subject).status == 0)
                let checked = try await installation.run(["schemas", "check", incompatible] + subject)
                #expect(checked.status == 1)
                #expect(checked.output.contains("id"))
                let refused = try await installation.run(["schemas", "push", incompatible] + subject)
                #expect(refused.status == 1)
                #expect(refused.errors.contains("incompatible"))
                #expect(!refused.errors.contains("s3same"))

                let listed = try await installation.succeed("schemas", "list", "--json")
                #expect(listed == #"[{"subject":"feed_rentals-value","versions":[1]}]"# + "\n")
                #expect(try await installation.succeed("schemas", "list").contains("feed_rentals-value"))
                let shown = try await installation.succeed("schemas", "show", "feed_rentals-value")
                #expect(try AvroSchema(parsing: shown) == AvroSchema(parsing: Self.schema))
                let byID = try await installation.succeed("schemas", "show", "--id", "1", "--json")
                #expect(byID.contains(#""id":1,"type":"AVRO""#))

                let settings = try await installation.succeed("config")
                #expect(settings.contains(server.url))
                #expect(!settings.contains("s3same"))
                installation.environment["DIONYSUS_SCHEMA_REGISTRY_URL"] = server.url
                let password = "\(directory)/password"
                try "s3same\n".write(toFile: password, atomically: true, encoding: .utf8)
                installation.environment["DIONYSUS_SCHEMA_REGISTRY_USER"] = "user"
                installation.environment["DIONYSUS_SCHEMA_REGISTRY_PASSWORD_FILE"] = password
                #expect(try await installation.succeed("schemas", "list").contains("feed_rentals-value"))
                installation.environment["DIONYSUS_SCHEMA_REGISTRY_PASSWORD_FILE"] = "\(directory)/none"
                let unreadable = try await installation.run("schemas", "list")
                #expect(unreadable.errors.contains("DIONYSUS_SCHEMA_REGISTRY_PASSWORD_FILE"))
                installation.environment["DIONYSUS_SCHEMA_REGISTRY_PASSWORD_FILE"] = nil
                installation.environment["DIONYSUS_SCHEMA_REGISTRY_USER"] = nil
                let denied = try await installation.run("schemas", "list")
                #expect(denied.status == 1)
                #expect(denied.errors.contains("401"))
            }
        }
        try await server.stop()
    }
}
