package import Dionysus

/// Takes a record's fields as a database's values, in the places of the reader's fields.
///
/// This is the sink for what is consumed: one row's memory is used again for the next, and nothing stands between the bytes and
/// the values that are bound. What has parts of its own becomes a document.
///
///     var row = AvroRowSink(plan.reader)
///     try plan.decode(bytes, into: &row)
///     row.values[0]
package struct AvroRowSink: AvroSink, Sendable {
    /// The values of the last record.
    package private(set) var values: [DatabaseValue]
    private let schema: AvroSchema
    private var field = 0
    private var inner: JSONSink
    /// How deep the data is that comes: 1 among the fields, more within one.
    private var depth = 0

    /// Creates a sink.
    /// - Parameter schema: The reader's schema, a record.
    /// - Throws: ``DionysusError`` with code `declaration` for another schema.
    package init(_ schema: AvroSchema) throws {
        guard case .record(let record) = schema.types[schema.root].kind else {
            throw DionysusError(
                .declaration,
                "the Avro schema \(schema.title) is no record, whose fields could be a row's"
            )
        }
        self.schema = schema
        values = [DatabaseValue](repeating: .null, count: record.fields.count)
        inner = JSONSink(schema: schema, form: .plain)
    }

    /// Keeps a field's value, or hands it on to what makes the document that it is part of.
    private mutating func take(_ value: DatabaseValue) { values[field] = value }

    private mutating func finishPart() throws(AvroFault) {
        depth -= 1
        guard depth == 1 else { return }
        guard let document = try? inner.value() else { throw AvroFault("the datum is not complete") }
        values[field] = .json(document.text)
    }

    package mutating func null(_ type: Int) { if depth > 1 { inner.null(type) } else { take(.null) } }

    package mutating func boolean(_ value: Bool, _ type: Int) {
        if depth > 1 { inner.boolean(value, type) } else { take(.bool(value)) }
    }

    package mutating func int(_ value: Int32, _ type: Int) {
        if depth > 1 { return inner.int(value, type) }
        switch schema.types[type].logical {
        case .date: take(LogicalValue.date(value).map { .text($0.description) } ?? .integer(Int64(value)))
        case .timeMillis:
            take(
                LogicalValue.timeOfDay(Int64(value) * 1_000, digits: 3).map(DatabaseValue.text)
                    ?? .integer(Int64(value))
            )
        default: take(.integer(Int64(value)))
        }
    }

    package mutating func long(_ value: Int64, _ type: Int) {
        if depth > 1 { return inner.long(value, type) }
        switch schema.types[type].logical {
        case nil: take(.integer(value))
        case .timeMicros: take(LogicalValue.timeOfDay(value, digits: 6).map(DatabaseValue.text) ?? .integer(value))
        case let logical?:
            take(LogicalValue.timestamp(value, logical).map(DatabaseValue.timestamp) ?? .integer(value))
        }
    }

    package mutating func float(_ value: Float, _ type: Int) {
        if depth > 1 { inner.float(value, type) } else { take(.double(Double(value))) }
    }

    package mutating func double(_ value: Double, _ type: Int) {
        if depth > 1 { inner.double(value, type) } else { take(.double(value)) }
    }

    package mutating func bytes(_ value: UnsafeRawBufferPointer, _ type: Int) throws(AvroFault) {
        if depth > 1 { return try inner.bytes(value, type) }
        if case .decimal(_, let scale)? = schema.types[type].logical {
            guard let decimal = LogicalValue.decimal(value, scale: scale) else {
                throw AvroFault("a decimal number has no or more than 38 digits")
            }
            take(.decimal(decimal))
        } else {
            take(.bytes(Array(value)))
        }
    }

    package mutating func string(_ utf8: UnsafeRawBufferPointer, _ type: Int) throws(AvroFault) {
        if depth > 1 { try inner.string(utf8, type) } else { take(.text(try AvroText.string(utf8))) }
    }

    package mutating func fixed(_ value: UnsafeRawBufferPointer, _ type: Int) throws(AvroFault) {
        if depth > 1 { return try inner.fixed(value, type) }
        switch schema.types[type].logical {
        case .uuid: if let uuid = LogicalValue.uuid(value) { take(.uuid(uuid)) }
        case .duration:
            try inner.fixed(value, type)
            depth += 1
            try finishPart()
        default: try bytes(value, type)
        }
    }

    package mutating func enumeration(_ symbol: Int, _ type: Int) {
        if depth > 1 { return inner.enumeration(symbol, type) }
        guard case .enumeration(let enumeration) = schema.types[type].kind else { return }
        take(.text(enumeration.symbols[symbol]))
    }

    package mutating func branch(_ index: Int, of type: Int) {}

    package mutating func beginRecord(_ type: Int) {
        if depth > 0 { inner.beginRecord(type) }
        depth += 1
    }

    package mutating func field(_ index: Int) { if depth > 1 { inner.field(index) } else { field = index } }

    package mutating func endRecord() throws(AvroFault) {
        if depth == 1 {
            depth = 0
        } else {
            inner.endRecord()
            try finishPart()
        }
    }

    package mutating func beginArray(_ type: Int) {
        inner.beginArray(type)
        depth += 1
    }

    package mutating func endArray() throws(AvroFault) {
        inner.endArray()
        try finishPart()
    }

    package mutating func beginMap(_ type: Int) {
        inner.beginMap(type)
        depth += 1
    }

    package mutating func key(_ utf8: UnsafeRawBufferPointer) throws(AvroFault) { try inner.key(utf8) }

    package mutating func endMap() throws(AvroFault) {
        inner.endMap()
        try finishPart()
    }

    /// Forgets what a datum that couldn't be read has left behind.
    package mutating func reset() {
        depth = 0
        inner = JSONSink(schema: schema, form: .plain)
    }
}
