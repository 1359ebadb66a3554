import Dionysus
import DionysusProtobuf
import DionysusSchemas

/// A schema that can be compared with another version of itself.
struct ComparableSchema {
    private enum Content {
        case avro(AvroSchema)
        case json(JSON)
        /// Nil if it is text, which is kept and not understood.
        case protobuf(ProtobufFile?)
    }

    private let content: Content
    /// The schema without what makes no difference.
    let text: String

    init(_ schema: ResolvedSchema) throws {
        let given = schema.schema.schema
        switch given.type {
        case .avro:
            let avro = try AvroSchema(schema)
            content = .avro(avro)
            // What stands alone would no longer name what it refers to.
            text = try given.references.isEmpty ? avro.document.text : JSON(parsing: Array(given.text.utf8)).text
        case .json:
            let document = try JSON(parsing: Array(given.text.utf8))
            _ = try JSONSchema(document)
            content = .json(document)
            text = document.text
        case .protobuf:
            let file = ProtobufFile(base64: given.text)
            guard file != nil || given.text.contains("message") || given.text.contains("enum") else {
                throw DionysusError(.malformed, "this is neither a file of Protobuf nor its descriptor")
            }
            content = .protobuf(file)
            text = file?.base64 ?? given.text
        }
    }

    /// Why data of another schema can't be read with this one.
    func incompatibilities(reading writer: ComparableSchema) -> [String] {
        switch (content, writer.content) {
        case (.avro(let reader), .avro(let writer)): reader.incompatibilities(reading: writer).map(\.description)
        case (.json(let reader), .json(let writer)): JSONComparison.faults(reader: reader, writer: writer)
        case (.protobuf(let reader?), .protobuf(let writer?)): reader.incompatibilities(reading: writer)
        case (.protobuf, .protobuf): []
        default: ["the schema is of another type"]
        }
    }
}

/// Compares JSON Schemas by the rules that matter most: types, members and enumerations.
private enum JSONComparison {
    static func faults(reader: JSON, writer: JSON, path: String = "#", depth: Int = 0) -> [String] {
        guard depth < 64, reader != writer, case .object(let reader) = reader, case .object(let writer) = writer else {
            return reader == .bool(false) && writer != .bool(false) ? ["\(path): nothing is allowed any more"] : []
        }
        var faults: [String] = []
        if let type = reader["type"] {
            let types = words(type)
            let missing = writer["type"].map(words)?
                .filter { !types.contains($0) && !($0 == "integer" && types.contains("number")) }
            if let missing {
                faults += missing.sorted().map { "\(path): the type \($0) is no longer allowed" }
            } else {
                faults.append("\(path): types are restricted now")
            }
        }
        if case .array(let values)? = reader["enum"] {
            if case .array(let old)? = writer["enum"] {
                if !old.allSatisfy(values.contains) { faults.append("\(path): values were removed") }
            } else {
                faults.append("\(path): values are restricted now")
            }
        }
        faults += memberFaults(reader, writer, path, depth)
        if let items = reader["items"], let old = writer["items"] {
            faults += self.faults(reader: items, writer: old, path: "\(path)/items", depth: depth + 1)
        }
        return faults
    }

    private static func memberFaults(
        _ reader: JSON.Object,
        _ writer: JSON.Object,
        _ path: String,
        _ depth: Int
    ) -> [String] {
        var faults: [String] = []
        let (properties, old) = (members(reader["properties"]), members(writer["properties"]))
        let isClosed = reader["additionalProperties"] == .bool(false)
        let wasClosed = writer["additionalProperties"] == .bool(false)
        if isClosed, !wasClosed { faults.append("\(path): other members are no longer allowed") }
        for member in old {
            if let property = reader["properties"]?[member.name] {
                let place = "\(path)/properties/\(member.name)"
                faults += self.faults(reader: property, writer: member.value, path: place, depth: depth + 1)
            } else if isClosed {
                faults.append("\(path): the member \(member.name) was removed, and others aren't allowed")
            }
        }
        for member in properties where !wasClosed && writer["properties"]?[member.name] == nil {
            // Data could have had a member of that name and of any type.
            if member.value != .bool(true) && member.value != [:] {
                faults.append("\(path): the member \(member.name) was added where others were allowed")
            }
        }
        let required = words(reader["required"] ?? []).subtracting(words(writer["required"] ?? []))
        for name in required.sorted() where reader["properties"]?[name]?["default"] == nil {
            faults.append("\(path): the member \(name) is required now")
        }
        return faults
    }

    private static func members(_ properties: JSON?) -> [JSON.Object.Member] {
        if case .object(let object)? = properties { object.members } else { [] }
    }

    private static func words(_ json: JSON) -> Set<String> {
        switch json {
        case .string(let word): [word]
        case .array(let words): Set(words.compactMap { if case .string(let word) = $0 { word } else { nil } })
        default: []
        }
    }
}
