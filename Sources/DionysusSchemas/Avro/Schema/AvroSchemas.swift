import Dionysus
import Foundation

/// Schemas that name each other's types.
///
/// A schema is found in a folder by its name: `com.example.Rental` is `com/example/Rental.avsc`.
///
///     let schemas = AvroSchemas(folder: "schemas")
///     let rental = try schemas.schema(named: "com.example.Rental")
public struct AvroSchemas: Sendable {
    private var documents: [String: JSON] = [:]
    private let folder: URL?

    /// Creates a set of schemas.
    /// - Parameter folder: Where schemas are found that haven't been added.
    public init(folder: String? = nil) {
        self.folder = folder.map { URL(fileURLWithPath: $0, isDirectory: true) }
    }

    /// Adds a schema, to be found by its name.
    /// - Parameter text: The schema of a record, an enumeration or a fixed.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` for what is no JSON or has no name.
    public mutating func add(_ text: String) throws {
        let document = try JSON(parsing: Array(text.utf8))
        guard case .string(let name)? = document["name"] else {
            throw DionysusError(.malformed, "the Avro schema has no name, by which it could be found")
        }
        guard case .string(let namespace)? = document["namespace"], !name.contains("."), !namespace.isEmpty else {
            documents[name] = document
            return
        }
        documents["\(namespace).\(name)"] = document
    }

    /// Reads a schema, and those that it names.
    /// - Parameters:
    ///   - name: The name with its namespace.
    ///   - strictness: How much the text is held to.
    /// - Returns: The schema, which stands alone.
    /// - Throws: ``/Dionysus/DionysusError`` with code `notFound` if there is none of that name, and with code `malformed` and the place
    ///   for one that is wrong.
    public func schema(named name: String, _ strictness: AvroSchema.Strictness = .strict) throws -> AvroSchema {
        guard let document = try document(named: name) else {
            let place = folder.map { "; \(path(of: name).joined(separator: "/")).avsc is not in \($0.path)" } ?? ""
            throw DionysusError(.notFound, "there is no Avro schema \(name.printable())\(place)")
        }
        let schema = try AvroSchema(document, strictness, with: self)
        guard schema.name == name else {
            throw DionysusError(
                .malformed,
                "the Avro schema that should be \(name.printable()) defines \(schema.name ?? "a type without a name")"
            )
        }
        return schema
    }

    func document(named name: String) throws -> JSON? {
        if let document = documents[name] { return document }
        let parts = path(of: name)
        // A name comes from a document, and must not lead out of the folder.
        guard let folder, parts.allSatisfy({ !$0.isEmpty && !$0.contains("/") && !$0.contains("\0") }) else {
            return nil
        }
        let file = parts.reduce(folder) { $0.appendingPathComponent($1) }.appendingPathExtension("avsc")
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        do {
            return try JSON(parsing: Array(Data(contentsOf: file)))
        } catch let error as DionysusError {
            throw DionysusError(.malformed, "\(file.path) can't be read: \(error.message)")
        } catch {
            throw DionysusError(.notFound, "\(file.path) can't be read", underlying: error)
        }
    }

    private func path(of name: String) -> [String] {
        name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    }
}
