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
    private var schemas: [Stored] = []
    private var ids: [RegistrySchema: UInt32] = [:]
    private var subjects: [String: [Version]] = [:]
    private var levels: [String: String] = [:]
    private var modes: [String: String] = [:]
    private var level = "BACKWARD"
    private var mode = "READWRITE"

    private static let levels: Set = [
        "NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE",
    ]
    private static let modes: Set = ["READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT", "FORWARD"]

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

    private func schema(_ query: RegistryQuery) throws(RegistryAnswer) -> RegistryAnswer {
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

    private func describe(_ subject: String, _ version: Version) -> JSON.Object {
        var document: JSON.Object = [
            "subject": .string(subject), "version": .integer(Int64(version.number)), "id": .integer(Int64(version.id)),
        ]
        document.members += description(of: schemas[Int(version.id) - 1]).members
        return document
    }

    /// Reads the schema in a request.
    private func parse(_ body: [UInt8]) throws(RegistryAnswer) -> (schema: RegistrySchema, parsed: ComparableSchema) {
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

    // MARK: Subjects

    private func names(_ query: RegistryQuery) -> [String] {
        let prefix = query.values["subjectPrefix"].flatMap { $0.isEmpty ? nil : $0 } ?? ""
        return
            subjects.filter { name, versions in
                let isThere = versions.contains { !$0.isDeleted }
                let isWanted = query.isSet("deletedOnly") ? !isThere : isThere || query.isSet("deleted")
                return isWanted && name.hasPrefix(prefix)
            }
            .map(\.key).sorted()
    }

    private func noSubject(_ subject: String) -> RegistryAnswer {
        RegistryAnswer(404, 40401, "Subject '\(subject)' not found.")
    }

    private func versions(_ subject: String, _ query: RegistryQuery) throws(RegistryAnswer) -> [Version] {
        let versions = (subjects[subject] ?? []).filter { !$0.isDeleted || query.isSet("deleted") }
        guard !versions.isEmpty else { throw noSubject(subject) }
        return versions
    }

    private func list(_ subject: String, _ query: RegistryQuery) throws(RegistryAnswer) -> RegistryAnswer {
        RegistryAnswer(.array(try versions(subject, query).map { .integer(Int64($0.number)) }))
    }

    private func version(
        _ subject: String,
        _ text: String,
        _ query: RegistryQuery
    ) throws(RegistryAnswer) -> Version {
        let isLatest = text == "latest" || text == "-1"
        guard isLatest || Int(text).map({ $0 > 0 }) == true else {
            throw RegistryAnswer(
                422,
                42202,
                "The specified version '\(text)' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\""
            )
        }
        let versions = try versions(subject, query)
        guard let version = isLatest ? versions.last : versions.first(where: { "\($0.number)" == text }) else {
            throw RegistryAnswer(404, 40402, "Version \(text) not found.")
        }
        return version
    }

    private func referencing(_ subject: String, _ number: Int?) -> [Int] {
        let used = Set(subjects.values.joined().filter { !$0.isDeleted }.map { Int($0.id) })
        return used.sorted()
            .filter { id in
                schemas[id - 1].schema.references
                    .contains {
                        $0.subject == subject && (number == nil || $0.version == number)
                    }
            }
    }

    private func find(
        _ subject: String,
        _ body: [UInt8],
        _ query: RegistryQuery
    ) throws(RegistryAnswer) -> RegistryAnswer {
        let versions = try versions(subject, query)
        let schema = try parse(body).schema
        guard let version = versions.last(where: { schemas[Int($0.id) - 1].schema == schema }) else {
            throw RegistryAnswer(404, 40403, "Schema not found")
        }
        return RegistryAnswer(.object(describe(subject, version)))
    }

    private mutating func register(_ subject: String, _ body: [UInt8]) throws(RegistryAnswer) -> RegistryAnswer {
        guard !subject.isEmpty, subject.utf8.allSatisfy({ $0 >= 0x20 }) else {
            throw RegistryAnswer(422, 42208, "The specified subject '\(subject)' is not a valid.")
        }
        let (schema, parsed) = try parse(body)
        if let known = subjects[subject]?.last(where: { !$0.isDeleted && schemas[Int($0.id) - 1].schema == schema }) {
            return RegistryAnswer(.object(describe(subject, known)))
        }
        let mode = modes[subject] ?? mode
        guard mode != "READONLY" && mode != "READONLY_OVERRIDE" else {
            throw RegistryAnswer(422, 42205, "Subject \(subject) is in read-only mode")
        }
        let faults = incompatibilities(parsed, subject, level: levels[subject] ?? level)
        guard faults.isEmpty else {
            throw RegistryAnswer(
                409,
                409,
                "Schema being registered is incompatible with an earlier schema for subject \"\(subject)\", details: [\(faults.joined(separator: ", "))]"
            )
        }
        let id: UInt32
        if let known = ids[schema] {
            id = known
        } else {
            schemas.append(Stored(schema: schema, parsed: parsed, guid: Self.guid(schema)))
            id = UInt32(schemas.count)
            ids[schema] = id
        }
        let version = Version(number: (subjects[subject]?.last?.number ?? 0) + 1, id: id)
        subjects[subject, default: []].append(version)
        return RegistryAnswer(.object(describe(subject, version)))
    }

    private static func guid(_ schema: RegistrySchema) -> UUID {
        let text = "\(schema.type.rawValue) \(schema.text) \(schema.references)"
        var value = UUID().uuid
        withUnsafeMutableBytes(of: &value) { $0.copyBytes(from: Array(Insecure.MD5.hash(data: Array(text.utf8)))) }
        return UUID(uuid: value)
    }

    private mutating func deleteSubject(
        _ subject: String,
        _ query: RegistryQuery
    ) throws(RegistryAnswer) -> RegistryAnswer {
        guard let all = subjects[subject] else { throw noSubject(subject) }
        guard referencing(subject, nil).isEmpty else { throw referenced(subject, nil) }
        let live = all.filter { !$0.isDeleted }
        if query.isSet("permanent") {
            guard live.isEmpty else {
                throw RegistryAnswer(
                    404,
                    40405,
                    "Subject '\(subject)' was not deleted first before being permanently deleted"
                )
            }
            subjects[subject] = nil
            return RegistryAnswer(.array(all.map { .integer(Int64($0.number)) }))
        }
        guard !live.isEmpty else {
            throw RegistryAnswer(
                404,
                40404,
                "Subject '\(subject)' was soft deleted. Set permanent=true to delete permanently"
            )
        }
        subjects[subject] = all.map { Version(number: $0.number, id: $0.id, isDeleted: true) }
        return RegistryAnswer(.array(live.map { .integer(Int64($0.number)) }))
    }

    private func referenced(_ subject: String, _ number: Int?) -> RegistryAnswer {
        RegistryAnswer(
            422,
            42206,
            "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=\(subject),version=\(number ?? -1)}."
        )
    }

    private mutating func deleteVersion(
        _ subject: String,
        _ text: String,
        _ query: RegistryQuery
    ) throws(RegistryAnswer) -> RegistryAnswer {
        var all = query
        all.include("deleted")
        let version = try version(subject, text, text == "latest" ? query : all)
        guard referencing(subject, version.number).isEmpty else { throw referenced(subject, version.number) }
        let place = "Subject '\(subject)' Version \(version.number)"
        if query.isSet("permanent") {
            guard version.isDeleted else {
                throw RegistryAnswer(404, 40407, "\(place) was not deleted first before being permanently deleted")
            }
            subjects[subject]?.removeAll { $0.number == version.number }
            if subjects[subject]?.isEmpty == true { subjects[subject] = nil }
        } else {
            guard !version.isDeleted else {
                throw RegistryAnswer(
                    404,
                    40406,
                    "\(place) was soft deleted. Set permanent=true to delete permanently"
                )
            }
            subjects[subject] = subjects[subject]?
                .map {
                    Version(number: $0.number, id: $0.id, isDeleted: $0.isDeleted || $0.number == version.number)
                }
        }
        return RegistryAnswer(.integer(Int64(version.number)))
    }

    // MARK: Compatibility and modes

    private func incompatibilities(
        _ schema: ComparableSchema,
        _ subject: String,
        level: String,
        only number: Int? = nil
    ) -> [String] {
        guard level != "NONE" else { return [] }
        var versions = (subjects[subject] ?? []).filter { !$0.isDeleted }
        if let number {
            versions = versions.filter { $0.number == number }
        } else if !level.hasSuffix("_TRANSITIVE") {
            versions = versions.suffix(1)
        }
        return versions.flatMap { version in
            let earlier = schemas[Int(version.id) - 1].parsed
            var faults: [String] = []
            if !level.hasPrefix("FORWARD") {
                faults += schema.incompatibilities(reading: earlier)
                    .map { "\($0) (the new schema reads version \(version.number))" }
            }
            if !level.hasPrefix("BACKWARD") {
                faults += earlier.incompatibilities(reading: schema)
                    .map { "\($0) (version \(version.number) reads the new schema)" }
            }
            return faults
        }
    }

    private func compare(
        _ subject: String,
        _ text: String?,
        _ body: [UInt8],
        _ query: RegistryQuery
    ) throws(RegistryAnswer) -> RegistryAnswer {
        let parsed = try parse(body).parsed
        let number: Int? = if let text { try version(subject, text, query).number } else { nil }
        let faults = incompatibilities(parsed, subject, level: levels[subject] ?? level, only: number)
        var document: JSON.Object = ["is_compatible": .bool(faults.isEmpty)]
        if query.isSet("verbose") { document["messages"] = .array(faults.map(JSON.string)) }
        return RegistryAnswer(.object(document))
    }

    private mutating func config(
        _ method: String,
        _ subject: String?,
        _ body: [UInt8],
        _ query: RegistryQuery
    ) throws(RegistryAnswer) -> RegistryAnswer {
        switch method {
        case "GET":
            guard let subject else { return RegistryAnswer(["compatibilityLevel": .string(level)]) }
            guard let own = levels[subject] ?? (query.isSet("defaultToGlobal") ? level : nil) else {
                throw RegistryAnswer(
                    404,
                    40408,
                    "Subject '\(subject)' does not have subject-level compatibility configured"
                )
            }
            return RegistryAnswer(["compatibilityLevel": .string(own)])
        case "PUT":
            guard case .string(let word)? = (try? JSON(parsing: body))?["compatibility"], Self.levels.contains(word)
            else {
                throw RegistryAnswer(
                    422,
                    42203,
                    "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive"
                )
            }
            if let subject { levels[subject] = word } else { level = word }
            return RegistryAnswer(["compatibility": .string(word)])
        case "DELETE":
            let old = subject.map { levels[$0] } ?? level
            guard let old else { throw noSubject(subject ?? "") }
            if let subject { levels[subject] = nil } else { level = "BACKWARD" }
            return RegistryAnswer(["compatibilityLevel": .string(old)])
        default: throw RegistryAnswer(405, 405, "HTTP 405 Method Not Allowed")
        }
    }

    private mutating func mode(
        _ method: String,
        _ subject: String?,
        _ body: [UInt8],
        _ query: RegistryQuery
    ) throws(RegistryAnswer) -> RegistryAnswer {
        switch method {
        case "GET":
            guard let subject else { return RegistryAnswer(["mode": .string(mode)]) }
            guard let own = modes[subject] ?? (query.isSet("defaultToGlobal") ? mode : nil) else {
                throw RegistryAnswer(404, 40409, "Subject '\(subject)' does not have subject-level mode configured")
            }
            return RegistryAnswer(["mode": .string(own)])
        case "PUT":
            guard case .string(let word)? = (try? JSON(parsing: body))?["mode"], Self.modes.contains(word) else {
                throw RegistryAnswer(
                    422,
                    42204,
                    "Invalid mode. Valid values are READWRITE, READONLY, READONLY_OVERRIDE, IMPORT"
                )
            }
            if let subject { modes[subject] = word } else { mode = word }
            return RegistryAnswer(["mode": .string(word)])
        case "DELETE":
            guard let subject, let old = modes.removeValue(forKey: subject) else { throw noSubject(subject ?? "") }
            return RegistryAnswer(["mode": .string(old)])
        default: throw RegistryAnswer(405, 405, "HTTP 405 Method Not Allowed")
        }
    }
}
