import Dionysus
import DionysusProtobuf
import DionysusRegistryTesting
import DionysusSchemas
import ProtobufExamples
import SwiftProtobuf
import Testing

import struct Foundation.Data

/// Compatibility in the registry for tests.
@Suite(.timeLimit(.minutes(10))) struct RegistryCompatibilityTests {
    private let registry = InMemorySchemaRegistry()

    private func client() throws -> SchemaRegistryClient {
        try registry.client()
    }

    private static let one = #"{"type":"record","name":"A","fields":[{"name":"a","type":"int"}]}"#
    /// Reads what `one` wrote, and its data is not read by that.
    private static let widened = #"{"type":"record","name":"A","fields":[{"name":"a","type":"long"}]}"#
    /// Data of each is read by the other.
    private static let extended = """
        {"type":"record","name":"A","fields":[{"name":"a","type":"int"},{"name":"b","type":"int","default":0}]}
        """

    @Test(
        "levels say which version has to read which",
        arguments: [
            ("NONE", true, true), ("BACKWARD", true, true), ("FORWARD", false, true), ("FULL", false, true),
            ("BACKWARD_TRANSITIVE", true, true), ("FORWARD_TRANSITIVE", false, true), ("FULL_TRANSITIVE", false, true),
        ]
    )
    func levels(level: String, takesWidened: Bool, takesExtended: Bool) async throws {
        let client = try client()
        try await client.setCompatibility(level)
        _ = try await client.register(RegistrySchema(.avro, Self.one), under: "a")
        let widened = try await client.incompatibilities(of: RegistrySchema(.avro, Self.widened), with: "a")
        #expect(widened.isEmpty == takesWidened)
        let extended = try await client.incompatibilities(of: RegistrySchema(.avro, Self.extended), with: "a")
        #expect(extended.isEmpty == takesExtended)
    }

    @Test("a level that isn't transitive looks at the last version only")
    func transitive() async throws {
        let client = try client()
        try await client.setCompatibility("NONE")
        _ = try await client.register(RegistrySchema(.avro, #"{"type":"record","name":"A","fields":[]}"#), under: "a")
        _ = try await client.register(RegistrySchema(.avro, Self.one), under: "a")
        try await client.setCompatibility("BACKWARD")
        #expect(try await client.incompatibilities(of: RegistrySchema(.avro, Self.widened), with: "a").isEmpty)
        try await client.setCompatibility("BACKWARD_TRANSITIVE")
        #expect(try await !client.incompatibilities(of: RegistrySchema(.avro, Self.widened), with: "a").isEmpty)
        #expect(try await client.incompatibilities(of: RegistrySchema(.avro, Self.one), with: "a", version: 2).isEmpty)
    }

    @Test("the same schema is the same however it is written")
    func sameSchema() async throws {
        let client = try client()
        let spaced = Self.one.replacing(",", with: " , ")
        let first = try await client.register(RegistrySchema(.avro, Self.one), under: "a")
        let second = try await client.register(RegistrySchema(.avro, spaced), under: "a")
        #expect(first.id == second.id)
        #expect(try await client.versions(of: "a") == [1])
    }

    @Test("what would break readers of Protobuf is refused")
    func protobuf() async throws {
        let files = try ProtobufExamples.files
        let file = try #require(files["feed/v1/money.proto"])
        let client = try client()
        func schema(_ change: (inout Google_Protobuf_FileDescriptorProto) -> Void) throws -> RegistrySchema {
            var descriptor = file.descriptor
            change(&descriptor)
            return RegistrySchema(.protobuf, Data(try descriptor.serializedBytes() as [UInt8]).base64EncodedString())
        }
        _ = try await client.register(schema { _ in }, under: "money")
        let retyped = try schema { $0.messageType[0].field[0].type = .double }
        #expect(try await client.incompatibilities(of: retyped, with: "money").count == 1)
        let removed = try schema { $0.messageType.removeAll() }
        #expect(try await client.incompatibilities(of: removed, with: "money").count == 1)
        let renamed = try schema { $0.messageType[0].field[0].name = "unit" }
        #expect(try await client.incompatibilities(of: renamed, with: "money").isEmpty)
        let shorter = try schema { $0.messageType[0].field.removeLast() }
        #expect(try await client.incompatibilities(of: shorter, with: "money").isEmpty)
        let widened = try schema { $0.messageType[0].field[1].type = .sint32 }
        #expect(try await client.incompatibilities(of: widened, with: "money").isEmpty)
    }
}
