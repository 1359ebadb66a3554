import Dionysus

extension Contract {
    /// A contract of topics that hold records of Avro schemas, from which a replica's tables follow.
    ///
    /// Each record of the list is a model; the records within them are JSON.
    /// - Parameter schemas: The schemas.
    /// - Throws: ``DionysusError`` with code `malformed` if none of them is a record's.
    package init(of schemas: [AvroSchema]) throws {
        let models = schemas.compactMap(\.contractModel)
        guard !models.isEmpty else {
            throw DionysusError(.malformed, "none of the schemas is that of a record, of which a table could be made")
        }
        self.init(
            topics: models.map { model in
                Topic(name: model.name, encoding: "record.avro", partitionKey: .messageKey, models: [model])
            }
        )
    }
}

extension AvroSchema {
    /// The fields of messages that say nothing about a record.
    private static let messageFields: Set<String> = ["message_id", "timestamp"]

    /// The record as a model; nil for another type.
    fileprivate var contractModel: Contract.Model? {
        guard case .record(let record) = types[root].kind, let name = record.name.split(separator: ".").last else {
            return nil
        }
        let id = record.places["id"].map { value(of: record.fields[$0].type).type }
        return Contract.Model(
            name: String(name),
            key: Contract.Key(name: "id", type: id.flatMap { [.integer, .uuid].contains($0) ? $0 : nil } ?? .string),
            attributes: record.fields.filter { !Self.messageFields.contains($0.name) }
                .map { Contract.Attribute(name: $0.name, value: value(of: $0.type)) },
            links: [],
            parts: []
        )
    }

    private func value(of place: Int) -> ContractValue {
        let type = types[place]
        if let logical = type.logical { return Self.value(of: logical) }
        switch type.kind {
        case .boolean: return ContractValue(.boolean)
        case .int, .long: return ContractValue(.integer)
        case .float, .double: return ContractValue(.double)
        case .bytes, .fixed: return ContractValue(.bytes)
        case .string: return ContractValue(.string)
        case .enumeration(let enumeration): return ContractValue(.string, values: enumeration.symbols.map(JSON.string))
        case .array(let element): return ContractValue(.array, items: value(of: element))
        case .null, .map, .record: return ContractValue(.json)
        case .union(let branches):
            let others = branches.filter { if case .null = types[$0].kind { false } else { true } }
            var value = others.count == 1 ? value(of: others[0]) : ContractValue(.json)
            value.isNullable = others.count < branches.count
            return value
        }
    }

    private static func value(of logical: AvroLogicalType) -> ContractValue {
        switch logical {
        case .date: ContractValue(.date)
        case .timeMillis, .timeMicros: ContractValue(.integer)
        case .timestampMillis, .timestampMicros, .timestampNanos: ContractValue(.timestamp)
        case .localTimestampMillis, .localTimestampMicros, .localTimestampNanos: ContractValue(.timestamp)
        case .decimal(_, let scale): ContractValue(.decimal, scale: scale)
        case .uuid: ContractValue(.uuid)
        case .duration: ContractValue(.bytes)
        case .json: ContractValue(.json)
        }
    }
}
