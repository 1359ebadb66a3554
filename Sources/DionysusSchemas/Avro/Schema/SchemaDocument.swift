public import Dionysus

extension AvroSchema {
    /// The schema as a document that stands alone: each type is defined where it is first needed, and named after that.
    public var document: JSON {
        var writer = DocumentWriter(schema: self, isCanonical: false)
        return writer.document(root, namespace: "")
    }

    /// The Parsing Canonical Form: the same text for all schemas that write the same data.
    ///
    /// It has no documentation, defaults, aliases and logical types.
    public var canonicalForm: String {
        var writer = DocumentWriter(schema: self, isCanonical: true)
        return writer.document(root, namespace: "").text
    }
}

/// Turns types into a document.
private struct DocumentWriter {
    let schema: AvroSchema
    let isCanonical: Bool
    private var defined: Set<Int> = []

    init(schema: AvroSchema, isCanonical: Bool) {
        self.schema = schema
        self.isCanonical = isCanonical
    }

    mutating func document(_ place: Int, namespace: String) -> JSON {
        let type = schema.types[place]
        if let name = type.name, !defined.insert(place).inserted { return .string(name) }
        var members: [JSON.Object.Member] = []
        var inner = namespace
        if let name = type.name {
            inner = name.lastIndex(of: ".").map { String(name[..<$0]) } ?? ""
            if isCanonical {
                members = [.init("name", .string(name)), .init("type", .string(type.kind.word))]
            } else {
                let own = name.lastIndex(of: ".").map { String(name[name.index(after: $0)...]) } ?? name
                members = [.init("type", .string(type.kind.word)), .init("name", .string(own))]
                if inner != namespace { members.append(.init("namespace", .string(inner))) }
            }
        } else {
            members = [.init("type", .string(type.kind.word))]
        }
        if !isCanonical { members += type.attributes.members }
        switch type.kind {
        case .null, .boolean, .int, .long, .float, .double, .bytes, .string:
            return members.count == 1 ? members[0].value : .object(JSON.Object(members))
        case .union(let branches): return .array(branches.map { document($0, namespace: namespace) })
        case .array(let items): members.append(.init("items", document(items, namespace: namespace)))
        case .map(let values): members.append(.init("values", document(values, namespace: namespace)))
        case .enumeration(let enumeration):
            members.append(.init("symbols", .array(enumeration.symbols.map(JSON.string))))
        case .fixed(let fixed): members.append(.init("size", .integer(Int64(fixed.size))))
        case .record(let record):
            let fields = record.fields.map { field in
                var members: [JSON.Object.Member] = [
                    .init("name", .string(field.name)), .init("type", document(field.type, namespace: inner)),
                ]
                if !isCanonical { members += field.attributes.members }
                return JSON.object(JSON.Object(members))
            }
            members.append(.init("fields", .array(fields)))
        }
        return .object(JSON.Object(members))
    }
}
