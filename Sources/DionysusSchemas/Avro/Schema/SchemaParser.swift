import Dionysus

/// Turns a document into the types of a schema.
struct SchemaParser {
    let strictness: AvroSchema.Strictness
    let schemas: AvroSchemas?
    private(set) var types: [AvroType] = []
    /// The places of types by their names with namespaces.
    var places: [String: Int] = [:]
    /// Where each type stands in its document.
    private var paths: [String] = []
    private static let maximumDepth = 200
    private var depth = 0

    init(strictness: AvroSchema.Strictness, schemas: AvroSchemas?) {
        self.strictness = strictness
        self.schemas = schemas
    }

    var isStrict: Bool { strictness == .strict }

    /// - Returns: The place of the type that the document defines.
    mutating func parse(_ document: JSON) throws -> Int {
        let root = try type(document, namespace: "", path: "$")
        // Records may contain themselves, so that what their fields' defaults are made of is known only now.
        if isStrict { try checkDefaults(root: root) }
        return root
    }

    func quoted(_ name: String) -> String { "\"\(name.prefix(100).description.printable())\"" }

    func fault(_ path: String, _ what: String) -> DionysusError {
        DionysusError(.malformed, "the Avro schema is wrong at \(path): \(what)")
    }

    mutating func add(_ type: AvroType, path: String) -> Int {
        types.append(type)
        paths.append(path)
        return types.count - 1
    }

    private mutating func type(_ document: JSON, namespace: String, path: String) throws -> Int {
        guard depth < Self.maximumDepth else { throw fault(path, "types are nested over \(Self.maximumDepth) levels") }
        depth += 1
        defer { depth -= 1 }
        switch document {
        case .string(let name): return try reference(name, namespace: namespace, path: path)
        case .array(let branches): return try union(branches, namespace: namespace, path: path)
        case .object(let object): return try definition(object, namespace: namespace, path: path)
        default: throw fault(path, "a schema is a name, a list of schemas or an object, not \(document.kind)")
        }
    }

    private mutating func reference(_ name: String, namespace: String, path: String) throws -> Int {
        if let kind = AvroType.Kind(primitive: name) { return add(AvroType(kind: kind), path: path) }
        let full = name.contains(".") || namespace.isEmpty ? name : "\(namespace).\(name)"
        // A name without a namespace can be meant within one as well: there is no other way to write it.
        if let place = places[full] ?? places[name] { return place }
        for candidate in full == name ? [name] : [full, name] {
            guard let document = try schemas?.document(named: candidate) else { continue }
            let place = try type(document, namespace: "", path: "\(candidate) $")
            guard types[place].name == candidate else {
                throw fault(path, "the document of \(candidate) defines \(types[place].name ?? types[place].kind.word)")
            }
            return place
        }
        throw fault(path, "there is no type \(quoted(full)); a type is defined before it is named")
    }

    private mutating func union(_ branches: [JSON], namespace: String, path: String) throws -> Int {
        let place = add(AvroType(kind: .null), path: path)
        var seen: Set<String> = []
        var result: [Int] = []
        for (index, branch) in branches.enumerated() {
            let branchPath = "\(path)[\(index)]"
            let branch = try type(branch, namespace: namespace, path: branchPath)
            if case .union = types[branch].kind { throw fault(branchPath, "a union stands directly in a union") }
            let name = types[branch].name ?? types[branch].kind.word
            guard seen.insert(name).inserted else { throw fault(branchPath, "the union has \(name) twice") }
            result.append(branch)
        }
        types[place].kind = .union(result)
        return place
    }

    private mutating func definition(_ object: JSON.Object, namespace: String, path: String) throws -> Int {
        guard let type = object["type"] else { throw fault(path, "the type is missing") }
        guard case .string(let word) = type else {
            if isStrict { throw fault("\(path).type", "a type is a name here, not \(type.kind)") }
            return try self.type(type, namespace: namespace, path: "\(path).type")
        }
        switch word {
        case "record", "error": return try record(object, namespace: namespace, path: path)
        case "enum": return try enumeration(object, namespace: namespace, path: path)
        case "fixed": return try fixed(object, namespace: namespace, path: path)
        case "array":
            let place = add(AvroType(kind: .null), path: path)
            let items = try member("items", of: object, namespace: namespace, path: path)
            return try finish(place, .array(items), object, without: ["type", "items"], path: path)
        case "map":
            let place = add(AvroType(kind: .null), path: path)
            let values = try member("values", of: object, namespace: namespace, path: path)
            return try finish(place, .map(values), object, without: ["type", "values"], path: path)
        default:
            guard let kind = AvroType.Kind(primitive: word) else {
                return try reference(word, namespace: namespace, path: "\(path).type")
            }
            return try finish(add(AvroType(kind: kind), path: path), kind, object, without: ["type"], path: path)
        }
    }

    mutating func member(
        _ name: String,
        of object: JSON.Object,
        namespace: String,
        path: String
    ) throws -> Int {
        guard let document = object[name] else { throw fault(path, "\(name) is missing") }
        return try type(document, namespace: namespace, path: "\(path).\(name)")
    }

    /// Sets what a type is made of, and keeps what else its document says.
    mutating func finish(
        _ place: Int,
        _ kind: AvroType.Kind,
        _ object: JSON.Object,
        without known: Set<String>,
        path: String
    ) throws -> Int {
        types[place].kind = kind
        types[place].attributes = JSON.Object(object.members.filter { !known.contains($0.name) })
        do {
            types[place].logical = try AvroLogicalType(attributes: types[place].attributes, kind: kind)
        } catch let misfit as AvroLogicalType.Misfit {
            if isStrict { throw fault(path, misfit.reason) }
        }
        return place
    }

    // MARK: Defaults

    private func checkDefaults(root: Int) throws {
        let schema = AvroSchema(types: types, root: root)
        for (place, type) in types.enumerated() {
            guard case .record(let record) = type.kind else { continue }
            for (index, field) in record.fields.enumerated() {
                guard let defaultValue = field.defaultValue else { continue }
                do {
                    var encoder = DefaultEncoder(schema: schema, takesAnyBranch: false)
                    try encoder.encode(defaultValue, field.type)
                } catch {
                    throw fault("\(paths[place]).fields[\(index)].default\(error.suffix)", error.message)
                }
            }
        }
    }
}
