import Dionysus

/// Swift types for the records and enumerations of Avro schemas.
package struct AvroSwiftTypes {
    /// The types that have names, each once, in the order in which the schemas define them.
    private var types: [(name: String, schema: AvroSchema, place: Int)] = []
    private var swiftNames: [String: String] = [:]

    /// - Parameter schemas: The schemas; a type that several define has to be the same in all of them.
    /// - Throws: ``DionysusError`` with code `malformed` for two types of one name that differ.
    package init(_ schemas: [AvroSchema]) throws {
        var known: [String: AvroSchema] = [:]
        for schema in schemas {
            for place in schema.types.indices {
                guard let name = schema.types[place].name else { continue }
                let one = schema.schema(at: place)
                if let other = known[name] {
                    guard other.canonicalForm == one.canonicalForm else {
                        throw DionysusError(
                            .malformed,
                            "two schemas define \(name.printable()) in different ways",
                            advice: "generate types for one of them at a time, or correct one"
                        )
                    }
                    continue
                }
                known[name] = one
                if case .fixed = schema.types[place].kind { continue }
                types.append((name, schema, place))
            }
        }
        let simple = types.map { $0.name.simpleTypeName }
        for type in types {
            let name = type.name.simpleTypeName
            // Types of different namespaces may have one name.
            let isUnique = simple.count { $0 == name } == 1
            swiftNames[type.name] = (isUnique ? name : type.name.wholeTypeName).swiftIdentifier
        }
    }

    /// The source of all types.
    package var source: String {
        let parts = types.map { type -> String in
            switch type.schema.types[type.place].kind {
            case .record(let record): source(of: record, in: type.schema, type.place)
            case .enumeration(let enumeration): source(of: enumeration, in: type.schema, type.place)
            default: ""
            }
        }
        return "import Dionysus\nimport Foundation\n\n" + parts.joined(separator: "\n")
    }

    // MARK: Records

    private func source(of record: AvroRecordType, in schema: AvroSchema, _ place: Int) -> String {
        let name = swiftNames[record.name] ?? record.name.swiftIdentifier
        let isRecursive = holdsItself(place, in: schema)
        let kind =
            isRecursive ? "final class \(name): Codable, Sendable" : "struct \(name): Codable, Sendable, Equatable"
        var text = comment(schema.types[place].attributes, or: "The record \(record.name).", indent: "")
        text += "\(kind) {\n"
        let properties = record.fields.map { field in
            Property(
                name: field.name.swiftPropertyName.swiftIdentifier,
                field: field.name,
                type: swiftType(field.type, in: schema),
                defaultValue: defaultValue(field, in: schema),
                documentation: field.attributes
            )
        }
        for property in properties {
            text += comment(property.documentation, or: nil, indent: "    ")
            text += "    \(isRecursive ? "let" : "var") \(property.name): \(property.type)\n"
        }
        if !properties.isEmpty { text += "\n" + initializer(properties) }
        if properties.contains(where: { $0.name != $0.field }) {
            text += "\n    enum CodingKeys: String, CodingKey {\n"
            for property in properties {
                let value = property.name == property.field.swiftIdentifier ? "" : " = \"\(property.field)\""
                text += "        case \(property.name)\(value)\n"
            }
            text += "    }\n"
        }
        return text + "}\n"
    }

    private struct Property {
        let name: String
        let field: String
        let type: String
        let defaultValue: String?
        let documentation: JSON.Object
    }

    private func initializer(_ properties: [Property]) -> String {
        let parameters = properties.map { property in
            "        \(property.name): \(property.type)" + (property.defaultValue.map { " = \($0)" } ?? "")
        }
        let assignments = properties.map { "        self.\($0.name.withoutBackticks) = \($0.name)" }
        return
            "    init(\n\(parameters.joined(separator: ",\n"))\n    ) {\n\(assignments.joined(separator: "\n"))\n    }\n"
    }

    /// Whether a record holds one of its own type other than in a list or a map: a structure can't.
    private func holdsItself(_ place: Int, in schema: AvroSchema) -> Bool {
        var seen: Set<Int> = []
        var waiting = directParts(of: place, in: schema)
        while let next = waiting.popLast() {
            if next == place { return true }
            if seen.insert(next).inserted { waiting += directParts(of: next, in: schema) }
        }
        return false
    }

    private func directParts(of place: Int, in schema: AvroSchema) -> [Int] {
        switch schema.types[place].kind {
        case .record(let record): record.fields.map(\.type)
        case .union(let branches): branches.count(where: { !isNull($0, schema) }) == 1 ? branches : []
        default: []
        }
    }

    private func isNull(_ place: Int, _ schema: AvroSchema) -> Bool {
        if case .null = schema.types[place].kind { true } else { false }
    }

    private func swiftType(_ place: Int, in schema: AvroSchema) -> String {
        let type = schema.types[place]
        if let logical = type.logical { return Self.swiftType(logical) }
        switch type.kind {
        case .null: return "JSON?"
        case .boolean: return "Bool"
        case .int, .long: return "Int"
        case .float: return "Float"
        case .double: return "Double"
        case .bytes, .fixed: return "Data"
        case .string: return "String"
        case .array(let element): return "[\(swiftType(element, in: schema))]"
        case .map(let value): return "[String: \(swiftType(value, in: schema))]"
        case .record(let record): return swiftNames[record.name] ?? record.name.swiftIdentifier
        case .enumeration(let enumeration): return swiftNames[enumeration.name] ?? enumeration.name.swiftIdentifier
        case .union(let branches):
            let others = branches.filter { !isNull($0, schema) }
            let one = others.count == 1 ? swiftType(others[0], in: schema) : "JSON"
            return others.count < branches.count ? "\(one)?" : one
        }
    }

    private static func swiftType(_ logical: AvroLogicalType) -> String {
        switch logical {
        case .date: "CalendarDate"
        case .timeMillis, .timeMicros: "Int"
        case .timestampMillis, .timestampMicros, .timestampNanos: "Timestamp"
        case .localTimestampMillis, .localTimestampMicros, .localTimestampNanos: "Timestamp"
        case .decimal: "ExactDecimal"
        case .uuid: "UUID"
        case .duration: "Data"
        case .json: "JSON"
        }
    }

    /// The default as Swift has it, where it can be written there; ids and times of messages are no defaults.
    private func defaultValue(_ field: AvroRecordType.Field, in schema: AvroSchema) -> String? {
        guard let value = field.defaultValue, !["message_id", "timestamp"].contains(field.name) else { return nil }
        let type = schema.types[field.type]
        if case .union(let branches) = type.kind {
            if value == .null, branches.contains(where: { isNull($0, schema) }) { return "nil" }
            guard branches.count(where: { !isNull($0, schema) }) == 1,
                let branch = branches.first(where: { !isNull($0, schema) })
            else { return nil }
            return literal(value, branch, in: schema)
        }
        return literal(value, field.type, in: schema)
    }

    private func literal(_ value: JSON, _ place: Int, in schema: AvroSchema) -> String? {
        let type = schema.types[place]
        guard type.logical == nil else { return nil }
        switch (type.kind, value) {
        case (.boolean, .bool), (.int, .integer), (.long, .integer): return value.text
        case (.float, .integer), (.float, .number), (.double, .integer), (.double, .number): return value.text
        case (.string, .string(let text)): return Self.literal(text)
        case (.enumeration(let enumeration), .string(let symbol)):
            return enumeration.places[symbol] == nil ? nil : ".\(symbol.caseName(among: enumeration.symbols))"
        case (.array(let items), .array(let elements)):
            return list(elements.map { literal($0, items, in: schema) })
        case (.map(let values), .object(let object)):
            guard !object.members.isEmpty else { return "[:]" }
            let entries = object.members.map { member in
                literal(member.value, values, in: schema).map { "\(Self.literal(member.name)): \($0)" }
            }
            return list(entries)
        case (.record(let record), .object(let object)): return literal(object, record, in: schema)
        case (.union(let branches), .null): return branches.contains { isNull($0, schema) } ? "nil" : nil
        default: return nil
        }
    }

    /// A list or a dictionary, if every part of it can be written.
    private func list(_ parts: [String?]) -> String? {
        let known = parts.compactMap(\.self)
        return known.count == parts.count ? "[\(known.joined(separator: ", "))]" : nil
    }

    /// A record whose fields the default has, or their own defaults.
    private func literal(_ object: JSON.Object, _ record: AvroRecordType, in schema: AvroSchema) -> String? {
        var arguments: [String] = []
        for field in record.fields {
            guard let value = object[field.name] else {
                guard defaultValue(field, in: schema) != nil else { return nil }
                continue
            }
            guard let literal = literal(value, field.type, in: schema) else { return nil }
            arguments.append("\(field.name.swiftPropertyName.swiftIdentifier): \(literal)")
        }
        return "\(swiftNames[record.name] ?? record.name.swiftIdentifier)(\(arguments.joined(separator: ", ")))"
    }

    private static func literal(_ text: String) -> String {
        let escaped = text.unicodeScalars.map { scalar -> String in
            switch scalar {
            case "\\": "\\\\"
            case "\"": "\\\""
            case "\n": "\\n"
            default: scalar.value < 0x20 ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
            }
        }
        return "\"\(escaped.joined())\""
    }

    // MARK: Enumerations

    private func source(of enumeration: AvroEnumerationType, in schema: AvroSchema, _ place: Int) -> String {
        let name = swiftNames[enumeration.name] ?? enumeration.name.swiftIdentifier
        var text = comment(schema.types[place].attributes, or: "The enumeration \(enumeration.name).", indent: "")
        text += "enum \(name): String, Codable, Sendable, CaseIterable {\n"
        for symbol in enumeration.symbols {
            let caseName = symbol.caseName(among: enumeration.symbols)
            text += "    case \(caseName)\(caseName.withoutBackticks == symbol ? "" : " = \"\(symbol)\"")\n"
        }
        return text + "}\n"
    }

    /// What the schema says about something, as a comment that it can't end.
    private func comment(_ attributes: JSON.Object, or fallback: String?, indent: String) -> String {
        var text = fallback
        if case .string(let documentation)? = attributes["doc"], !documentation.isEmpty { text = documentation }
        guard let text else { return "" }
        return text.split(whereSeparator: \.isNewline).map { "\(indent)/// \($0)\n" }.joined()
    }
}

extension String {
    fileprivate var simpleTypeName: String {
        String(split(separator: ".").last ?? "").typeName
    }

    fileprivate var wholeTypeName: String { split(separator: ".").map { String($0).typeName }.joined() }

    private var typeName: String {
        let words = split { $0 == "-" || $0 == "_" }
        return words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }

    /// An enumeration's symbol as a case; as it stands if another would be called the same.
    fileprivate func caseName(among symbols: [String]) -> String {
        let name = swiftPropertyName
        let isUnique = symbols.count { $0.swiftPropertyName == name } == 1
        return (isUnique ? name : self).swiftIdentifier
    }

    fileprivate var withoutBackticks: String { replacing("`", with: "") }
}
