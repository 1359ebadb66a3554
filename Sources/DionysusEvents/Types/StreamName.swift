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

    /// Names are equal when their bytes are, as in the database.
    public static func == (lhs: StreamName, rhs: StreamName) -> Bool {
        lhs.description.utf8.elementsEqual(rhs.description.utf8)
    }

    /// What precedes the first dash; all of it if there is none.
    public var category: String {
        guard let dash else { return description }
        return String(description[..<dash])
    }

    /// What follows the first dash; empty if there is none.
    public var id: String {
        guard let dash else { return "" }
        return String(description[description.utf8.index(after: dash)...])
    }

    /// The first dash, even if a combining mark follows it, as SQL finds it.
    private var dash: String.Index? { description.utf8.firstIndex(of: UInt8(ascii: "-")) }

    /// Whether it is in one of the categories, compared byte by byte.
    func isIn(_ categories: Set<String>) -> Bool {
        let own = category
        return categories.contains { $0.utf8.elementsEqual(own.utf8) }
    }

    /// Checks that a stream can have the name.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed`.
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
