import Dionysus
import DionysusSchemas

/// How the keys of one model's records are written.
struct RecordKeyProgram: Sendable {
    /// A field of the key.
    struct Field: Sendable {
        let name: String
        let source: RecordSource
        /// The names of members within the value, if it has parts.
        let path: [String]
        /// The name of the attribute, to find what is kept of it.
        let attribute: String
        /// The type in the key's schema, of Avro alone.
        let type: Int
    }

    enum Form: Sendable {
        case none
        /// The primary key as text.
        case plain
        /// `MODEL:ID`.
        case message
        case avro(AvroSchema, [Field])
        case json(Field)
    }

    let form: Form
    /// What names the key's schema, before the data.
    var prefix: [UInt8] = []
    var headers: [MessageHeader] = []

    /// Whether the record itself has to be looked at.
    var readsRecord: Bool {
        switch form {
        case .none, .plain, .message: false
        case .avro(_, let fields): fields.contains { $0.source.readsRecord }
        case .json(let field): field.source.readsRecord
        }
    }

    /// The field that a path leads to.
    static func field(_ path: String, _ plan: LoadPlan, type: Int = 0) throws -> Field {
        let names = path.split(separator: ".").map(String.init)
        guard let first = names.first, let last = names.last,
            let source = try plan.keySource(first, plan.serializer), !source.isSideload
        else {
            throw DionysusError(
                .declaration,
                "model \(plan.model.name) has no field \(path.printable()) that keys could be taken from",
                advice: "name an attribute or the id of a link"
            )
        }
        return Field(name: last, source: source, path: Array(names.dropFirst()), attribute: first, type: type)
    }

    /// A key whose schema's fields are attributes.
    static func avro(_ schema: AvroSchema, path: String?, _ plan: LoadPlan) throws -> Form {
        guard case .record(let record) = schema.types[schema.root].kind, !record.fields.isEmpty else {
            throw DionysusError(.declaration, "the schema of the keys of \(plan.model.name) is no record with fields")
        }
        return .avro(schema, try record.fields.map { try field(path ?? $0.name, plan, type: $0.type) })
    }
}

extension RecordSource {
    var readsRecord: Bool { if case .primaryKey = self { false } else { true } }
    /// Whether it is other records, which no key can be taken from.
    var isSideload: Bool { if case .sideload = self { true } else { false } }
}
