package import Dionysus

/// A JSON Schema, by which values are checked.
///
/// It knows what describes values in drafts 4 to 2020-12: types, members, elements, bounds, patterns, enumerations, combinations
/// of schemas and references within the document, or to documents given with it. What it doesn't know, such as formats, is not
/// checked.
public struct JSONSchema: Sendable {
    /// The schema.
    package let document: JSON
    /// Other documents, by what a `$ref` calls them.
    private let documents: [String: JSON]

    /// Creates a schema.
    /// - Parameters:
    ///   - document: The schema.
    ///   - documents: Other documents, by what a `$ref` calls them.
    /// - Throws: `DionysusError` with code `malformed` for what is no schema.
    package init(_ document: JSON, documents: [String: JSON] = [:]) throws {
        switch document {
        case .object, .bool: break
        default: throw DionysusError(.malformed, "a JSON Schema is an object, true or false, not \(document.kind)")
        }
        self.document = document
        self.documents = documents
    }

    /// Reads a schema.
    /// - Parameter text: The schema.
    /// - Throws: `DionysusError` with code `malformed` for what is no schema.
    package init(parsing text: String) throws { try self.init(JSON(parsing: Array(text.utf8))) }

    /// Reads a schema of a registry.
    /// - Parameter schema: The schema, with those that it names.
    /// - Throws: `DionysusError` with code `malformed` for what is no schema.
    package init(_ schema: ResolvedSchema) throws {
        var documents: [String: JSON] = [:]
        for reference in schema.references where reference.schema.type == .json {
            documents[reference.name] = try JSON(parsing: Array(reference.schema.text.utf8))
        }
        try self.init(JSON(parsing: Array(schema.schema.schema.text.utf8)), documents: documents)
    }

    /// Checks a value.
    /// - Parameter value: The value.
    /// - Throws: `DionysusError` with code `malformed`, the path and what is wrong.
    package func check(_ value: JSON) throws {
        do throws(JSONSchemaCheck.Misfit) {
            try JSONSchemaCheck(documents: documents).run(value, document)
        } catch {
            let path = error.path.reversed().joined()
            let place = path.isEmpty ? "" : " at \(path.drop { $0 == "." })"
            throw DionysusError(.malformed, "the value doesn't fit its JSON Schema\(place): \(error.reason)")
        }
    }
}
