import Dionysus

/// Turns a document into the types of a schema.
struct SchemaParser {
    let strictness: AvroSchema.Strictness
    let schemas: AvroSchemas?
    private(set) var types: [AvroType] = []
    /// The places of types by their names with namespaces.
    private var places: [String: Int] = [:]
    /// Where each type stands in its document.
    private var paths: [String] = []
    private static let maximumDepth = 200
    private var depth = 0

    init(strictness: AvroSchema.Strictness, schemas: AvroSchemas?) {
        self.strictness = strictness
        self.schemas = schemas
    }

    private var isStrict: Bool { strictness == .strict }

    /// - Returns: The place of the type that the document defines.
    mutating func parse(_ document: JSON) throws -> Int {
        let root = try type(document, namespace: "", path: "$")
        // Records may contain themselves, so that what their fields' defaults are made of is known only now.
        if isStrict { try checkDefaults(root: root) }
        return root
    }

    private func quoted(_ name: String) -> String { "\"\(name.prefix(100).description.printable())\"" }

    private func fault(_ path: String, _ what: String) -> DionysusError {
        DionysusError(.malformed, "the Avro schema is wrong at \(path): \(what)")
    }

    private mutating func add(_ type: AvroType, path: String) -> Int {
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

    private mutating func member(
        _ name: String,
        of object: JSON.Object,
        namespace: String,
        path: String
    ) throws -> Int {
        guard let document = object[name] else { throw fault(path, "\(name) is missing") }
        return try type(document, namespace: namespace, path: "\(path).\(name)")
    }

    /// Sets what a type is made of, and keeps what else its document says.
    private mutating func finish(
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

    // MARK: Types with names

    private mutating func record(_ object: JSON.Object, namespace: String, path: String) throws -> Int {
        let name = try name(of: object, namespace: namespace, path: path)
        var record = AvroRecordType(name: name.full, aliases: try aliases(of: object, name: name, path: path))
        let place = try register(.record(record), name.full, path: path)
        guard case .array(let fields)? = object["fields"] else { throw fault(path, "fields, a list, is missing") }
        for (index, document) in fields.enumerated() {
            let fieldPath = "\(path).fields[\(index)]"
            let field = try field(document, namespace: name.namespace, path: fieldPath)
            guard record.places.updateValue(index, forKey: field.name) == nil else {
                throw fault(fieldPath, "the record has a field \(quoted(field.name)) already")
            }
            record.fields.append(field)
        }
        return try finish(place, .record(record), object, without: ["type", "name", "namespace", "fields"], path: path)
    }

    private mutating func field(_ document: JSON, namespace: String, path: String) throws -> AvroRecordType.Field {
        guard case .object(let object) = document else {
            throw fault(path, "a field is an object, not \(document.kind)")
        }
        guard case .string(let name)? = object["name"] else { throw fault(path, "the field's name is missing") }
        try checkName(name, path: "\(path).name")
        if isStrict, let order = object["order"] {
            guard [.string("ascending"), .string("descending"), .string("ignore")].contains(order) else {
                throw fault("\(path).order", "an order is ascending, descending or ignore")
            }
        }
        var aliases: [String] = []
        if let given = object["aliases"] {
            for (index, alias) in try strings(given, path: "\(path).aliases").enumerated() {
                try checkName(alias, path: "\(path).aliases[\(index)]")
                aliases.append(alias)
            }
        }
        return AvroRecordType.Field(
            name: name,
            aliases: aliases,
            type: try member("type", of: object, namespace: namespace, path: path),
            defaultValue: object["default"],
            attributes: JSON.Object(object.members.filter { $0.name != "name" && $0.name != "type" })
        )
    }

    private mutating func enumeration(_ object: JSON.Object, namespace: String, path: String) throws -> Int {
        let name = try name(of: object, namespace: namespace, path: path)
        guard let given = object["symbols"] else { throw fault(path, "symbols, a list, is missing") }
        let symbols = try strings(given, path: "\(path).symbols")
        var places: [String: Int] = [:]
        for (index, symbol) in symbols.enumerated() {
            try checkName(symbol, path: "\(path).symbols[\(index)]")
            guard places.updateValue(index, forKey: symbol) == nil else {
                throw fault("\(path).symbols[\(index)]", "the enumeration has \(quoted(symbol)) twice")
            }
        }
        var defaultSymbol: String?
        if let given = object["default"] {
            if case .string(let symbol) = given, places[symbol] != nil {
                defaultSymbol = symbol
            } else if isStrict {
                throw fault("\(path).default", "an enumeration's default is one of its symbols")
            }
        }
        let enumeration = AvroEnumerationType(
            name: name.full,
            aliases: try aliases(of: object, name: name, path: path),
            symbols: symbols,
            places: places,
            defaultSymbol: defaultSymbol
        )
        let place = try register(.enumeration(enumeration), name.full, path: path)
        let known: Set = ["type", "name", "namespace", "symbols"]
        return try finish(place, .enumeration(enumeration), object, without: known, path: path)
    }

    private mutating func fixed(_ object: JSON.Object, namespace: String, path: String) throws -> Int {
        let name = try name(of: object, namespace: namespace, path: path)
        let size: Int64? =
            switch object["size"] {
            case .integer(let size): size
            case .string(let digits) where !isStrict: Int64(digits)
            default: nil
            }
        guard let size, (0...Int64(Int32.max)).contains(size) else {
            throw fault(path, "size, a number of bytes, is missing or out of range")
        }
        let fixed = AvroFixedType(
            name: name.full,
            aliases: try aliases(of: object, name: name, path: path),
            size: Int(size)
        )
        let place = try register(.fixed(fixed), name.full, path: path)
        return try finish(place, .fixed(fixed), object, without: ["type", "name", "namespace", "size"], path: path)
    }

    private mutating func register(_ kind: AvroType.Kind, _ name: String, path: String) throws -> Int {
        guard places[name] == nil else { throw fault(path, "the type \(name) is defined already") }
        let place = add(AvroType(kind: kind), path: path)
        places[name] = place
        return place
    }

    // MARK: Names

    private func name(of object: JSON.Object, namespace: String, path: String) throws -> AvroName {
        guard case .string(let given)? = object["name"] else { throw fault(path, "the name is missing") }
        var space = namespace
        switch object["namespace"] {
        case nil: break
        case .string(let own)?: space = own
        case .null? where !isStrict: break
        case let other?: throw fault("\(path).namespace", "a namespace is text, not \(other.kind)")
        }
        let name = AvroName(given, in: space)
        for part in name.parts { try checkName(part, path: "\(path).name") }
        guard AvroType.Kind(primitive: name.full) == nil else {
            throw fault("\(path).name", "\(name.full) is the name of a primitive type")
        }
        return name
    }

    private func aliases(of object: JSON.Object, name: AvroName, path: String) throws -> [String] {
        guard let given = object["aliases"] else { return [] }
        return try strings(given, path: "\(path).aliases").enumerated()
            .map { index, alias in
                let alias = AvroName(alias, in: name.namespace)
                for part in alias.parts { try checkName(part, path: "\(path).aliases[\(index)]") }
                return alias.full
            }
    }

    private func strings(_ document: JSON, path: String) throws -> [String] {
        guard case .array(let elements) = document else { throw fault(path, "a list is needed, not \(document.kind)") }
        return try elements.enumerated()
            .map { index, element in
                guard case .string(let text) = element else {
                    throw fault("\(path)[\(index)]", "text is needed, not \(element.kind)")
                }
                return text
            }
    }

    private func checkName(_ name: String, path: String) throws {
        guard AvroName.isPart(name, isStrict: isStrict) else {
            throw fault(path, "\(quoted(name)) is no name: letters, digits and _, and no digit first")
        }
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
