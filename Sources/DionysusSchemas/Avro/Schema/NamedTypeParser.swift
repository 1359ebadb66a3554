import Dionysus

/// Records, enumerations and fixed types, and the names that they and their parts have.
extension SchemaParser {
    mutating func record(_ object: JSON.Object, namespace: String, path: String) throws -> Int {
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

    mutating func enumeration(_ object: JSON.Object, namespace: String, path: String) throws -> Int {
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

    mutating func fixed(_ object: JSON.Object, namespace: String, path: String) throws -> Int {
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
}
