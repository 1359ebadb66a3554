/// Writes values in the binary encoding.
struct ValueWriter {
    let schema: AvroSchema
    var writer = AvroWriter()
    private var depth = 0

    init(schema: AvroSchema) { self.schema = schema }

    mutating func write(_ value: AvroValue, _ place: Int) throws(AvroFault) {
        guard depth < AvroLimits.depth else { throw AvroFault("data is nested over \(AvroLimits.depth) levels") }
        depth += 1
        defer { depth -= 1 }
        let type = schema.types[place]
        switch (type.kind, value) {
        case (.null, .null): break
        case (.boolean, .boolean(let value)): writer.boolean(value)
        case (.int, .int(let value)): writer.int(value)
        case (.long, .long(let value)): writer.long(value)
        case (.long, .int(let value)): writer.long(Int64(value))
        case (.float, .float(let value)): writer.float(value)
        case (.float, .int(let value)): writer.float(Float(value))
        case (.float, .long(let value)): writer.float(Float(value))
        case (.double, .double(let value)): writer.double(value)
        case (.double, .float(let value)): writer.double(Double(value))
        case (.double, .int(let value)): writer.double(Double(value))
        case (.double, .long(let value)): writer.double(Double(value))
        case (.bytes, .bytes(let value)): writer.bytes(value)
        case (.string, .string(let value)): writer.string(value)
        case (.fixed(let fixed), .fixed(let name, let bytes)) where name == fixed.name:
            guard bytes.count == fixed.size else {
                throw AvroFault("\(fixed.name) has \(fixed.size) bytes, the value \(bytes.count)")
            }
            writer.fixed(bytes)
        case (.enumeration(let enumeration), .enumeration(let name, let symbol)) where name == enumeration.name:
            guard let index = enumeration.places[symbol] else {
                throw AvroFault("the value is no symbol of \(enumeration.name)")
            }
            writer.index(index)
        case (.array(let items), .array(let elements)):
            if !elements.isEmpty { writer.blockCount(elements.count) }
            for (index, element) in elements.enumerated() {
                do throws(AvroFault) { try write(element, items) } catch { throw error.within(.element(index)) }
            }
            writer.blockCount(0)
        case (.map(let values), .map(let entries)):
            if !entries.isEmpty { writer.blockCount(entries.count) }
            for (index, entry) in entries.enumerated() {
                writer.string(entry.name)
                do throws(AvroFault) { try write(entry.value, values) } catch { throw error.within(.entry(index)) }
            }
            writer.blockCount(0)
        case (.record(let record), .record(let name, let entries)) where name == record.name:
            try write(entries, record)
        case (.union(let branches), _): try write(value, branches)
        default: throw AvroFault("\(value.kind) is no \(type.name ?? type.kind.word)")
        }
    }

    private mutating func write(_ entries: [AvroValue.Entry], _ record: AvroRecordType) throws(AvroFault) {
        var written = 0
        for (index, field) in record.fields.enumerated() {
            // Nearly all values have the schema's order.
            let own =
                index < entries.count && entries[index].name == field.name
                ? entries[index].value : entries.last { $0.name == field.name }?.value
            do throws(AvroFault) {
                if let own {
                    try write(own, field.type)
                    written += 1
                } else if let value = field.defaultValue {
                    var encoder = DefaultEncoder(schema: schema, takesAnyBranch: true)
                    try encoder.encode(value, field.type)
                    writer.fixed(encoder.writer.bytes)
                } else {
                    throw AvroFault("the value is missing")
                }
            } catch {
                throw error.within(.field(field.name))
            }
        }
        guard written == entries.count else {
            let unknown = entries.first { record.places[$0.name] == nil }
            let what = unknown.map { "has no field \"\($0.name.prefix(100))\"" } ?? "has a value twice"
            throw AvroFault("the record \(record.name) \(what)")
        }
    }

    private mutating func write(_ value: AvroValue, _ branches: [Int]) throws(AvroFault) {
        let index =
            branches.firstIndex { Self.fits(value, schema.types[$0], exactly: true) }
            ?? branches.firstIndex { Self.fits(value, schema.types[$0], exactly: false) }
        guard let index else { throw AvroFault("\(value.kind) is no branch of the union") }
        writer.index(index)
        try write(value, branches[index])
    }

    /// Whether a value is of a type that is no union, or can be widened to it.
    static func fits(_ value: AvroValue, _ type: AvroType, exactly: Bool) -> Bool {
        switch (type.kind, value) {
        case (.null, .null), (.boolean, .boolean), (.int, .int), (.long, .long), (.float, .float): true
        case (.double, .double), (.bytes, .bytes), (.string, .string), (.array, .array), (.map, .map): true
        case (.record(let type), .record(let name, _)): type.name == name
        case (.enumeration(let type), .enumeration(let name, _)): type.name == name
        case (.fixed(let type), .fixed(let name, _)): type.name == name
        case (.long, .int), (.float, .int), (.double, .int), (.float, .long), (.double, .long), (.double, .float):
            !exactly
        default: false
        }
    }
}

/// Bounds on what input can ask for.
@usableFromInline package enum AvroLimits {
    /// How deep records, arrays and maps may be nested in a datum.
    @usableFromInline package static let depth = 512
    /// How many values a datum may have that take no bytes, beside ``freeValuesPerByte``.
    @usableFromInline package static let freeValues = 65_536
    /// How many values that take no bytes there may be for each byte.
    @usableFromInline package static let freeValuesPerByte = 16
}
