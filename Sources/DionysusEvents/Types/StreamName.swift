import Dionysus

public import struct Foundation.UUID

/// The name of a stream: a category, a dash, and what is the stream's own: `ad-8c5d…`.
public struct StreamName: Sendable, Hashable, CustomStringConvertible {
    /// The whole name.
    public let description: String

    /// Creates the name of one of a category's streams.
    /// - Parameters:
    ///   - category: What kind of stream it is; without dashes.
    ///   - id: Which of them.
    public init(_ category: String, _ id: String) { description = "\(category)-\(id)" }

    /// Creates the name of one of a category's streams.
    /// - Parameters:
    ///   - category: What kind of stream it is; without dashes.
    ///   - id: Which of them.
    public init(_ category: String, _ id: UUID) { self.init(category, id.uuidString.lowercased()) }

    /// Takes a whole name as it is.
    /// - Parameter text: The name: `ad-8c5d…`.
    public init(_ text: String) { description = text }

    /// What precedes the first dash; all of it if there is none.
    public var category: String { String(description.prefix { $0 != "-" }) }

    /// What follows the first dash; empty if there is none.
    public var id: String { String(description.drop { $0 != "-" }.dropFirst()) }

    /// Checks that a stream can have the name.
    /// - Throws: ``Dionysus/DionysusError`` with code `malformed`.
    func check() throws {
        guard !description.isEmpty, description.utf8.count <= 500, !description.utf8.contains(0) else {
            throw DionysusError(
                .malformed,
                "a stream has an invalid name",
                advice: "a name has from 1 to 500 bytes, and no zero byte"
            )
        }
    }
}
