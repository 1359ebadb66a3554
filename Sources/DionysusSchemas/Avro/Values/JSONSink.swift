import Dionysus

/// Makes JSON of a datum's parts.
struct JSONSink: AvroSink, Sendable {
    /// Which JSON.
    enum Form: Sendable {
        /// Avro's own: `{"string": "a"}` for a union's data, a character for each byte, bare numbers.
        case avro
        /// What programs without a schema understand: unions without a wrapping, times as ISO 8601, decimals as text with their
        /// scale, bytes in base64.
        case plain
    }

    private struct Frame {
        enum Kind {
            case root, array, map
            case record([AvroRecordType.Field])
            /// The name of a union's branch around one value.
            case branch(String)
        }

        let kind: Kind
        var values: [JSON] = []
        var members: [JSON.Object.Member] = []
        var key = ""
        var field = 0
    }

    private let schema: AvroSchema
    private let form: Form
    private var frames = [Frame(kind: .root)]

    init(schema: AvroSchema, form: Form) {
        self.schema = schema
        self.form = form
    }

    /// The datum, when all of it has come; the sink can be used again after that.
    mutating func value() throws -> JSON {
        guard frames.count == 1, let value = frames[0].values.popLast() else {
            throw DionysusError(.malformed, "the Avro datum is not complete")
        }
        return value
    }

    var isComplete: Bool { frames.count == 1 && !frames[0].values.isEmpty }

    private mutating func add(_ value: JSON) {
        var value = value
        while case .branch(let name) = frames[frames.count - 1].kind {
            frames.removeLast()
            value = .object([name: value])
        }
        let top = frames.count - 1
        switch frames[top].kind {
        case .map: frames[top].members.append(JSON.Object.Member(frames[top].key, value))
        case .record: frames[top].members[frames[top].field].value = value
        case .root, .array, .branch: frames[top].values.append(value)
        }
    }

    private func logical(_ type: Int) -> AvroLogicalType? { form == .plain ? schema.types[type].logical : nil }

    mutating func null(_ type: Int) { add(.null) }
    mutating func boolean(_ value: Bool, _ type: Int) { add(.bool(value)) }

    mutating func int(_ value: Int32, _ type: Int) {
        let text: String? =
            switch logical(type) {
            case .date: LogicalValue.date(value)?.description
            case .timeMillis: LogicalValue.timeOfDay(Int64(value) * 1_000, digits: 3)
            default: nil
            }
        add(text.map(JSON.string) ?? .integer(Int64(value)))
    }

    mutating func long(_ value: Int64, _ type: Int) {
        let text: String? =
            switch logical(type) {
            case nil: nil
            case .timeMicros: LogicalValue.timeOfDay(value, digits: 6)
            case let logical?: LogicalValue.text(value, logical)
            }
        add(text.map(JSON.string) ?? .integer(value))
    }

    mutating func float(_ value: Float, _ type: Int) { add(AvroNumber.json(value)) }
    mutating func double(_ value: Double, _ type: Int) { add(AvroNumber.json(value)) }

    mutating func bytes(_ value: UnsafeRawBufferPointer, _ type: Int) throws(AvroFault) {
        guard form == .plain else { return add(.string(Array(value).latin1)) }
        if case .decimal(_, let scale)? = logical(type) {
            guard let decimal = LogicalValue.decimal(value, scale: scale) else {
                throw AvroFault("a decimal number has no or more than 38 digits")
            }
            add(.string(decimal.description))
        } else {
            add(.string(Array(value).base64Encoded))
        }
    }

    mutating func string(_ utf8: UnsafeRawBufferPointer, _ type: Int) throws(AvroFault) {
        let text = try AvroText.string(utf8)
        // What another program has written may be no document: it stays text.
        if logical(type) == .json, let document = try? JSON(parsing: Array(utf8)) { return add(document) }
        add(.string(text))
    }

    mutating func fixed(_ value: UnsafeRawBufferPointer, _ type: Int) throws(AvroFault) {
        switch logical(type) {
        case .uuid:
            if let uuid = LogicalValue.uuid(value) { return add(.string(uuid.uuidString.lowercased())) }
            try bytes(value, type)
        case .duration:
            func part(_ index: Int) -> JSON {
                .integer(Int64(UInt32(littleEndian: value.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self))))
            }
            add(.object(["months": part(0), "days": part(1), "milliseconds": part(2)]))
        default: try bytes(value, type)
        }
    }

    mutating func enumeration(_ symbol: Int, _ type: Int) {
        guard case .enumeration(let enumeration) = schema.types[type].kind else { return }
        add(.string(enumeration.symbols[symbol]))
    }

    mutating func branch(_ index: Int, of type: Int) {
        guard form == .avro, case .union(let branches) = schema.types[type].kind else { return }
        let branch = schema.types[branches[index]]
        if case .null = branch.kind { return }
        frames.append(Frame(kind: .branch(branch.name ?? branch.kind.word)))
    }

    mutating func beginRecord(_ type: Int) {
        guard case .record(let record) = schema.types[type].kind else { return }
        var frame = Frame(kind: .record(record.fields))
        frame.members = record.fields.map { JSON.Object.Member($0.name, .null) }
        frames.append(frame)
    }

    mutating func field(_ index: Int) { frames[frames.count - 1].field = index }
    mutating func endRecord() { endObject() }
    mutating func beginArray(_ type: Int) { frames.append(Frame(kind: .array)) }
    mutating func endArray() { if let frame = frames.popLast() { add(.array(frame.values)) } }
    mutating func beginMap(_ type: Int) { frames.append(Frame(kind: .map)) }

    mutating func key(_ utf8: UnsafeRawBufferPointer) throws(AvroFault) {
        frames[frames.count - 1].key = try AvroText.string(utf8)
    }

    mutating func endMap() { endObject() }

    private mutating func endObject() {
        if let frame = frames.popLast() { add(.object(JSON.Object(frame.members))) }
    }
}
