import Dionysus

/// Makes a value of a datum's parts.
struct ValueSink: AvroSink {
    private struct Frame {
        enum Kind {
            case root, array, map
            case record(AvroRecordType)
        }

        let kind: Kind
        var values: [AvroValue] = []
        var entries: [AvroValue.Entry] = []
        var key = ""
        var field = 0
    }

    private let schema: AvroSchema
    private var frames = [Frame(kind: .root)]

    init(schema: AvroSchema) { self.schema = schema }

    /// The datum, when all of it has come; the sink can be used again after that.
    mutating func value() throws -> AvroValue {
        guard frames.count == 1, let value = frames[0].values.popLast() else {
            throw DionysusError(.malformed, "the Avro datum is not complete")
        }
        return value
    }

    private mutating func add(_ value: AvroValue) {
        let top = frames.count - 1
        switch frames[top].kind {
        case .root, .array: frames[top].values.append(value)
        case .map: frames[top].entries.append(AvroValue.Entry(frames[top].key, value))
        case .record: frames[top].entries[frames[top].field].value = value
        }
    }

    mutating func null(_ type: Int) { add(.null) }
    mutating func boolean(_ value: Bool, _ type: Int) { add(.boolean(value)) }
    mutating func int(_ value: Int32, _ type: Int) { add(.int(value)) }
    mutating func long(_ value: Int64, _ type: Int) { add(.long(value)) }
    mutating func float(_ value: Float, _ type: Int) { add(.float(value)) }
    mutating func double(_ value: Double, _ type: Int) { add(.double(value)) }
    mutating func bytes(_ value: UnsafeRawBufferPointer, _ type: Int) { add(.bytes(Array(value))) }

    mutating func string(_ utf8: UnsafeRawBufferPointer, _ type: Int) throws(AvroFault) {
        add(.string(try AvroText.string(utf8)))
    }

    mutating func fixed(_ value: UnsafeRawBufferPointer, _ type: Int) {
        add(.fixed(schema.types[type].name ?? "", Array(value)))
    }

    mutating func enumeration(_ symbol: Int, _ type: Int) {
        guard case .enumeration(let enumeration) = schema.types[type].kind else { return }
        add(.enumeration(enumeration.name, enumeration.symbols[symbol]))
    }

    mutating func branch(_ index: Int, of type: Int) {}

    mutating func beginRecord(_ type: Int) {
        guard case .record(let record) = schema.types[type].kind else { return }
        var frame = Frame(kind: .record(record))
        frame.entries = record.fields.map { AvroValue.Entry($0.name, .null) }
        frames.append(frame)
    }

    mutating func field(_ index: Int) { frames[frames.count - 1].field = index }

    mutating func endRecord() {
        guard let frame = frames.popLast(), case .record(let record) = frame.kind else { return }
        add(.record(record.name, frame.entries))
    }

    mutating func beginArray(_ type: Int) { frames.append(Frame(kind: .array)) }
    mutating func endArray() { if let frame = frames.popLast() { add(.array(frame.values)) } }
    mutating func beginMap(_ type: Int) { frames.append(Frame(kind: .map)) }

    mutating func key(_ utf8: UnsafeRawBufferPointer) throws(AvroFault) {
        frames[frames.count - 1].key = try AvroText.string(utf8)
    }

    mutating func endMap() { if let frame = frames.popLast() { add(.map(frame.entries)) } }
}
