public import Dionysus
import Foundation

/// A real message published by dionysus-rb.
public struct GoldenMessage: Sendable {
    public let topic: String
    public let partition: Int32
    public let key: String
    public let value: JSON
    /// The published value.
    public let text: String
}

/// The messages of a file.
/// - Parameter file: The file's name without its extension.
public func goldenMessages(_ file: String) throws -> [GoldenMessage] {
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let url = tests.appending(path: "DionysusConsumerTests/Golden/\(file).jsonl")
    return try String(contentsOf: url, encoding: .utf8).split(separator: "\n")
        .compactMap { line in
            let message = try JSON(parsing: Array(line.utf8))
            guard case .string(let topic) = message["topic"], case .integer(let partition) = message["partition"],
                case .string(let key) = message["key"], case .string(let payload) = message["payload"]
            else { return nil }
            return GoldenMessage(
                topic: topic,
                partition: Int32(partition),
                key: key,
                value: try JSON(parsing: Array(payload.utf8)),
                text: payload
            )
        }
}
