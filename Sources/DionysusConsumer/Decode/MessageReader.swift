package import Dionysus
package import DionysusSchemas

/// Reads the keys and values of a topic's messages by its encoding, for tools and tests.
package struct MessageReader: Sendable {
    private let reader: RecordReader?

    /// Creates a reader.
    /// - Parameters:
    ///   - encoding: How the messages are written.
    ///   - registry: The schema registry, if there is one.
    ///   - topic: The topic's full name, for errors.
    /// - Throws: ``DionysusError`` with code `declaration` or `configuration` for an encoding that can't be read.
    package init(_ encoding: TopicEncoding, registry: SchemaRegistryClient?, topic: String) throws {
        reader =
            if case .envelope(nil) = encoding.shape { nil } else {
                try RecordReader(encoding, registry: registry, topic: topic)
            }
    }

    /// Reads messages.
    /// - Parameter messages: The messages.
    /// - Returns: A key and a value for each, nil where it has none.
    /// - Throws: ``DionysusError`` for a message that isn't of the encoding, and if the registry is away.
    package func read(_ messages: [ConsumedMessage]) async throws -> [(key: JSON?, value: JSON?)] {
        guard let reader else {
            return try messages.map { message in
                let key = message.key.flatMap { String(validating: $0, as: UTF8.self) }.map(JSON.string)
                return (key, message.isTombstone ? nil : try message.value.map { try JSON(parsing: $0) })
            }
        }
        let failures = try await reader.learn(messages, withKeys: true)
        return try messages.map { message in
            let value = try message.value.map { try reader.value($0, message.headers, failures).json }
            return (try reader.key(message, failures), value)
        }
    }
}
