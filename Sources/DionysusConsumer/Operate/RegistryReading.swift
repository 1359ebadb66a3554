package import Dionysus
import DionysusSchemas
import Synchronization

/// A message as people read it.
package struct ReadMessage: Sendable {
    /// The message itself.
    package let message: TopicMessage
    /// The value, if it is data of a registry's schema.
    package internal(set) var record: JSON?
    /// The key, if it is data of a registry's schema.
    package internal(set) var recordKey: JSON?

    /// The key for people.
    package var keyText: String? { recordKey?.text ?? message.keyText }
}

/// Reads messages whose schemas a registry has.
final class RegistryReading: Sendable {
    private let values: SchemaSerde<AvroFormat<JSON>>
    private let keys: SchemaSerde<AvroFormat<JSON>>
    /// Whether nothing may be left undecoded because the registry can't be asked.
    private let isStrict: Bool
    /// Whether the registry has failed: it isn't asked for every message then.
    private let hasFailed = Mutex(false)

    init(_ registry: SchemaRegistryClient, isStrict: Bool) {
        self.isStrict = isStrict
        values = SchemaSerde(AvroFormat.json(), registry: registry)
        keys = SchemaSerde(AvroFormat.json(), registry: registry, part: .key)
    }

    /// - Throws: ``DionysusError``, if nothing may be left undecoded and the registry can't be asked.
    func read(_ message: ConsumedMessage) async throws -> ReadMessage {
        let value = try await json(message.value, message.headers, values)
        return ReadMessage(
            message: TopicMessage(message, data: value),
            record: value,
            recordKey: try await json(message.key, message.headers, keys)
        )
    }

    private func json(
        _ bytes: [UInt8]?,
        _ headers: [MessageHeader],
        _ serde: SchemaSerde<AvroFormat<JSON>>
    ) async throws -> JSON? {
        guard let bytes, SchemaFrame.isPresent(in: bytes, headers: headers, part: serde.part) else { return nil }
        if !hasFailed.withLock(\.self) {
            do {
                return try await serde.deserialize(bytes, headers: headers)
            } catch let error as DionysusError where [.registryUnavailable, .accessDenied].contains(error.code) {
                if isStrict { throw error }
                hasFailed.withLock { $0 = true }
            } catch {
                // It may be JSON with a schema.
            }
        }
        return try? JSON(parsing: Array(bytes.dropFirst(5)))
    }
}

extension ConsumerFailures {
    /// A message as people read it; its data stay undecoded if the schema registry can't be asked.
    package func readable(_ message: ConsumedMessage) async -> ReadMessage {
        let plain = ReadMessage(message: TopicMessage(message))
        guard let registry = settings.schemaRegistry else { return plain }
        return (try? await RegistryReading(registry, isStrict: false).read(message)) ?? plain
    }
}
