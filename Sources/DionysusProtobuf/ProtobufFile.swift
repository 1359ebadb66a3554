import Dionysus
public import DionysusSchemas
package import SwiftProtobuf

import struct Foundation.Data

/// A file of Protobuf with its messages, as `protoc` describes it.
///
/// Swift's generated code has no descriptions of itself. They come from `protoc --descriptor_set_out=FILE --include_imports`.
package struct ProtobufFile: Sendable {
    /// The description.
    package let descriptor: Google_Protobuf_FileDescriptorProto
    /// The places of messages by their whole names.
    private let places: [String: [Int]]

    private static let maximumDepth = 64

    /// Creates a file.
    /// - Parameter descriptor: The description.
    package init(_ descriptor: Google_Protobuf_FileDescriptorProto) {
        self.descriptor = descriptor
        var places: [String: [Int]] = [:]
        Self.gather(descriptor.messageType, descriptor.package, [], &places)
        self.places = places
    }

    /// Reads a description as registries have it.
    /// - Parameter text: The description's bytes in base64.
    package init?(base64 text: String) {
        guard let data = Data(base64Encoded: text), !data.isEmpty,
            let descriptor = try? Google_Protobuf_FileDescriptorProto(serializedBytes: data)
        else { return nil }
        self.init(descriptor)
    }

    private static func gather(
        _ messages: [Google_Protobuf_DescriptorProto],
        _ scope: String,
        _ place: [Int],
        _ places: inout [String: [Int]]
    ) {
        guard place.count < maximumDepth else { return }
        for (index, message) in messages.enumerated() {
            let name = scope.isEmpty ? message.name : "\(scope).\(message.name)"
            places[name] = place + [index]
            gather(message.nestedType, name, place + [index], &places)
        }
    }

    /// The place of a message.
    /// - Parameter name: The message's whole name.
    /// - Returns: The place; nil if the file has no such message.
    package func messageIndexes(of name: String) -> [Int]? { places[name] }

    /// The whole name of a message.
    /// - Parameter indexes: The message's place.
    /// - Returns: The name; nil if there is no message.
    package func messageName(at indexes: [Int]) -> String? { places.first { $0.value == indexes }?.key }

    /// The text that registries take: the description in base64, without what programs that write it add or leave out.
    package var base64: String {
        var plain = descriptor
        plain.clearSourceCodeInfo()
        plain.messageType = plain.messageType.map { Self.plain($0, depth: 0) }
        return (try? plain.serializedBytes() as [UInt8])?.base64Encoded ?? ""
    }

    private static func plain(
        _ message: Google_Protobuf_DescriptorProto,
        depth: Int
    ) -> Google_Protobuf_DescriptorProto {
        guard depth < maximumDepth else { return message }
        var message = message
        for index in message.field.indices
        where message.field[index].jsonName == camelCase(message.field[index].name) {
            message.field[index].clearJsonName()
        }
        message.nestedType = message.nestedType.map { plain($0, depth: depth + 1) }
        return message
    }

    /// The name that a field has in JSON unless its file says another.
    private static func camelCase(_ name: String) -> String {
        var isStart = false
        return String(
            name.compactMap { character -> Character? in
                if character == "_" {
                    isStart = true
                    return nil
                }
                defer { isStart = false }
                return isStart ? character.uppercased().first : character
            }
        )
    }

    /// The files that it needs, without those that every program has.
    var imports: [String] { descriptor.dependency.filter { !$0.hasPrefix("google/protobuf/") } }
}

/// Files of Protobuf that belong together, as `protoc --descriptor_set_out=FILE --include_imports` writes them.
public struct ProtobufFiles: Sendable {
    private let files: [String: ProtobufFile]

    /// Reads a set of descriptions.
    /// - Parameter bytes: What `protoc` wrote.
    /// - Throws: `DionysusError` with code `malformed`.
    public init(parsing bytes: some Collection<UInt8>) throws {
        let set: Google_Protobuf_FileDescriptorSet
        do {
            set = try Google_Protobuf_FileDescriptorSet(serializedBytes: Array(bytes))
        } catch {
            throw DionysusError(
                .malformed,
                "descriptions of Protobuf can't be read",
                advice: "write them with protoc --descriptor_set_out=FILE --include_imports",
                underlying: error
            )
        }
        files = Dictionary(set.file.map { ($0.name, ProtobufFile($0)) }, uniquingKeysWith: { $1 })
    }

    /// The file of a name.
    /// - Parameter name: The name, as it is imported.
    package subscript(name: String) -> ProtobufFile? { files[name] }

    /// Finds the file that has a message.
    /// - Parameter name: The message's whole name.
    /// - Returns: The file; nil if none has it.
    package func file(of name: String) -> ProtobufFile? { files.values.first { $0.messageIndexes(of: name) != nil } }

    /// Registers the files that a message's file imports, each under its own name, and makes the message's schema of what the
    /// registry says.
    /// - Parameters:
    ///   - name: The message's whole name.
    ///   - registry: The registry.
    /// - Returns: The schema, which is to be registered itself.
    /// - Throws: `DionysusError` with code `declaration` if a file is missing; else see `SchemaRegistryClient`.
    public func schema(of name: String, in registry: SchemaRegistryClient) async throws -> RegistrySchema {
        guard let file = file(of: name) else {
            throw DionysusError(.declaration, "the descriptions of Protobuf have no message \(name.printable())")
        }
        return try await schema(of: file, in: registry, depth: 0)
    }

    private func schema(
        of file: ProtobufFile,
        in registry: SchemaRegistryClient,
        depth: Int
    ) async throws -> RegistrySchema {
        var references: [SchemaReference] = []
        for name in file.imports {
            guard let imported = files[name], depth < 64 else {
                throw DionysusError(
                    .declaration,
                    "the descriptions of Protobuf lack \(name.printable()), which \(file.descriptor.name.printable()) imports",
                    advice: "write them with protoc --include_imports"
                )
            }
            let schema = try await schema(of: imported, in: registry, depth: depth + 1)
            if registry.settings.registration == .atFirstUse { _ = try await registry.register(schema, under: name) }
            let found = try await registry.find(schema, under: name)
            references.append(SchemaReference(name: name, subject: name, version: found.version ?? 1))
        }
        return RegistrySchema(.protobuf, file.base64, references: references)
    }
}
