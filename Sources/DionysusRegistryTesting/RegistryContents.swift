import Crypto
import Dionysus
import DionysusSchemas

import struct Foundation.UUID

/// What a registry holds, and what it answers.
struct RegistryContents {
    struct Version {
        let number: Int
        let id: UInt32
        var isDeleted = false
    }

    struct Stored {
        let schema: RegistrySchema
        let parsed: ComparableSchema
        let guid: UUID
    }

    /// Schemas by their ids, the first at 1.
    var schemas: [Stored] = []
    var ids: [RegistrySchema: UInt32] = [:]
    var subjects: [String: [Version]] = [:]
    var levels: [String: String] = [:]
    var modes: [String: String] = [:]
    var level = "BACKWARD"
    var mode = "READWRITE"

    static let levels: Set = [
        "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE",
    ]
    static let modes: Set = ["READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT", "FORWARD"]

    mutating func answer(_ method: String, _ query: RegistryQuery, _ body: [UInt8]) -> RegistryAnswer {
        do throws(RegistryAnswer) {
            return try route(method, query, body)
        } catch {
            return error
        }
    }

    private mutating func route(
        _ method: String,
        _ query: RegistryQuery,
        _ body: [UInt8]
    ) throws(RegistryAnswer) -> RegistryAnswer {
        let parts = query.parts
        switch (method, parts.first, parts.count) {
        case ("GET", nil, 0): return RegistryAnswer([:])
        case ("GET", "contexts", 1): return RegistryAnswer(["."])
        case ("GET", "schemas", 2) where parts[1] == "types": return RegistryAnswer(["JSON", "PROTOBUF", "AVRO"])
        case ("GET", "schemas", 3...4): return try schema(query)
        case ("GET", "subjects", 1): return RegistryAnswer(.array(names(query).map(JSON.string)))
        case ("POST", "subjects", 2): return try find(parts[1], body, query)
        case ("DELETE", "subjects", 2): return try deleteSubject(parts[1], query)
        case (_, "subjects", 3...5) where parts[2] == "versions":
            switch (method, parts.count) {
            case ("GET", 3): return try list(parts[1], query)
            case ("POST", 3): return try register(parts[1], body)
            case ("GET", 4): return RegistryAnswer(.object(describe(parts[1], try version(parts[1], parts[3], query))))
            case ("DELETE", 4): return try deleteVersion(parts[1], parts[3], query)
            case ("GET", 5) where parts[4] == "schema":
                let stored = schemas[Int(try version(parts[1], parts[3], query).id) - 1]
                return RegistryAnswer(body: Array(stored.schema.text.utf8))
            case ("GET", 5) where parts[4] == "referencedby":
                let number = try version(parts[1], parts[3], query).number
                return RegistryAnswer(.array(referencing(parts[1], number).map { .integer(Int64($0)) }))
            default: break
            }
        case ("POST", "compatibility", 4...5) where parts[1] == "subjects" && parts[3] == "versions":
            return try compare(parts[2], parts.count == 5 ? parts[4] : nil, body, query)
        case (_, "config", 1...2): return try config(method, parts.count == 2 ? parts[1] : nil, body, query)
        case (_, "mode", 1...2): return try mode(method, parts.count == 2 ? parts[1] : nil, body, query)
        default: break
        }
        throw RegistryAnswer(404, 404, "HTTP 404 Not Found")
    }

    // MARK: Schemas

    func schema(_ query: RegistryQuery) throws(RegistryAnswer) -> RegistryAnswer {
        let parts = query.parts
        let index: Int?
        switch parts[1] {
        case "ids": index = Int(parts[2]).map { $0 - 1 }
        case "guids":
            let guid = UUID(uuidString: parts[2])
            index = schemas.firstIndex { $0.guid == guid }
        default: throw RegistryAnswer(404, 404, "HTTP 404 Not Found")
        }
        guard let index, schemas.indices.contains(index) else {
            throw RegistryAnswer(404, 40403, "Schema \(parts[2]) not found")
        }
        let uses = subjects.sorted { $0.key < $1.key }
            .flatMap { subject, versions in
                versions.filter { Int($0.id) == index + 1 && (!$0.isDeleted || query.isSet("deleted")) }
                    .map { (subject: subject, number: $0.number) }
            }
        switch parts.count == 4 ? parts[3] : "" {
        case "":
            var document = description(of: schemas[index])
            if parts[1] == "guids" { document["id"] = .integer(Int64(index + 1)) }
            return RegistryAnswer(.object(document))
        case "schema": return RegistryAnswer(body: Array(schemas[index].schema.text.utf8))
        case "subjects": return RegistryAnswer(.array(uses.map { .string($0.subject) }))
        case "versions":
            return RegistryAnswer(
                .array(uses.map { ["subject": .string($0.subject), "version": .integer(Int64($0.number))] })
            )
        default: throw RegistryAnswer(404, 404, "HTTP 404 Not Found")
        }
    }

    private func description(of stored: Stored) -> JSON.Object {
        var document: JSON.Object = ["schema": .string(stored.schema.text)]
        if stored.schema.type != .avro { document["schemaType"] = .string(stored.schema.type.rawValue) }
        if !stored.schema.references.isEmpty {
            document["references"] = .array(
                stored.schema.references.map {
                    ["name": .string($0.name), "subject": .string($0.subject), "version": .integer(Int64($0.version))]
                }
            )
        }
        document["guid"] = .string(stored.guid.uuidString.lowercased())
        return document
    }

    func describe(_ subject: String, _ version: Version) -> JSON.Object {
        var document: JSON.Object = [
            "subject": .string(subject), "version": .integer(Int64(version.number)), "id": .integer(Int64(version.id)),
        ]
        document.members += description(of: schemas[Int(version.id) - 1]).members
        return document
    }

    /// Reads the schema in a request.
    func parse(_ body: [UInt8]) throws(RegistryAnswer) -> (schema: RegistrySchema, parsed: ComparableSchema) {
        guard let document = try? JSON(parsing: body), case .string(let text)? = document["schema"] else {
            throw RegistryAnswer(422, 42201, "Empty schema")
        }
        var type = SchemaType.avro
        if case .string(let word)? = document["schemaType"] {
            guard let known = SchemaType(rawValue: word) else {
                throw RegistryAnswer(422, 42201, "Invalid schema type \(word)")
            }
            type = known
        }
        var references: [SchemaReference] = []
        if case .array(let elements)? = document["references"] {
            for element in elements {
                guard case .string(let name)? = element["name"], case .string(let subject)? = element["subject"],
                    case .integer(let version)? = element["version"]
                else { throw RegistryAnswer(422, 42201, "Invalid schema: a reference is incomplete") }
                references.append(SchemaReference(name: name, subject: subject, version: Int(version)))
            }
        }
        let schema = RegistrySchema(type, text, references: references)
        var named: [(name: String, schema: RegistrySchema)] = []
        try gather(references, &named, depth: 0)
        do {
            let parsed = try ComparableSchema(ResolvedSchema(RegisteredSchema(schema, id: 0), references: named))
            return (RegistrySchema(type, parsed.text, references: references), parsed)
        } catch {
            throw RegistryAnswer(422, 42201, "Invalid schema \(text.prefix(200)), details: \(error)")
        }
    }

    private func gather(
        _ references: [SchemaReference],
        _ found: inout [(name: String, schema: RegistrySchema)],
        depth: Int
    ) throws(RegistryAnswer) {
        for reference in references {
            let version = subjects[reference.subject]?
                .first { ($0.number == reference.version || reference.version == -1) && !$0.isDeleted }
            guard let version, depth < 32 else {
                throw RegistryAnswer(
                    422,
                    42201,
                    "Invalid schema: no schema reference found for subject \"\(reference.subject)\" and version \(reference.version)"
                )
            }
            let schema = schemas[Int(version.id) - 1].schema
            try gather(schema.references, &found, depth: depth + 1)
            found.append((reference.name, schema))
        }
    }
}
