public import Dionysus

extension AvroPlan {
    /// Reads one datum as JSON in Avro's own encoding, from which it can be read back.
    ///
    /// A union's data stands in an object with the branch's name, `{"string": "a"}`; bytes are text of a character each.
    /// - Parameter bytes: The datum in the binary encoding, and nothing behind it.
    /// - Returns: The document.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed`, the path and the byte.
    public func json(from bytes: some Sequence<UInt8>) throws -> JSON {
        var sink = JSONSink(schema: reader, form: .avro)
        try decode(bytes, into: &sink)
        return try sink.value()
    }

    /// Reads data that stand one behind another, each as JSON in Avro's own encoding or as plain JSON.
    /// - Parameters:
    ///   - bytes: The data in the binary encoding.
    ///   - plain: Whether programs without a schema are to understand it.
    /// - Returns: The documents.
    /// - Throws: ``DionysusError`` with code `malformed`, and the datum.
    package func documents(from bytes: [UInt8], plain: Bool) throws -> [JSON] {
        guard program.minimumSize > 0 || bytes.isEmpty else {
            throw DionysusError(
                .malformed,
                "data of \(writer.title) may take no bytes, so that nobody can tell how many there are"
            )
        }
        var sink = JSONSink(schema: reader, form: plain ? .plain : .avro)
        var documents: [JSON] = []
        try bytes.withUnsafeBytes { buffer in
            var start = 0
            while start < buffer.count {
                do {
                    start += try decodePrefix(UnsafeRawBufferPointer(rebasing: buffer[start...]), into: &sink)
                } catch let error as DionysusError {
                    throw DionysusError(
                        error.code,
                        "datum \(documents.count + 1), which begins at byte \(start): \(error.message)"
                    )
                }
                documents.append(try sink.value())
            }
        }
        return documents
    }

    /// Reads one datum as JSON for programs that have no schema.
    ///
    /// Times and days are ISO 8601, decimals are text with their scale, bytes are base64, and unions show nothing of themselves.
    /// - Parameter bytes: The datum in the binary encoding, and nothing behind it.
    /// - Returns: The document.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed`, the path and the byte.
    public func plainJSON(from bytes: some Sequence<UInt8>) throws -> JSON {
        var sink = JSONSink(schema: reader, form: .plain)
        try decode(bytes, into: &sink)
        return try sink.value()
    }
}

extension AvroSchema {
    /// A value as JSON in Avro's own encoding.
    /// - Parameter value: The value.
    /// - Returns: The document.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` and the path, for a value that isn't the schema's.
    package func json(_ value: AvroValue) throws -> JSON { try AvroPlan(from: self).json(from: encode(value)) }

    /// Reads JSON in Avro's own encoding.
    /// - Parameter json: The document.
    /// - Returns: The value.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` and the path.
    package func value(fromJSON json: JSON) throws -> AvroValue { try decode(encode(json: json)) }

    /// Writes JSON in Avro's own encoding in the binary one.
    /// - Parameter json: The document.
    /// - Returns: The bytes.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` and the path.
    public func encode(json: JSON) throws -> [UInt8] {
        var encoder = JSONEncoding(schema: self)
        do throws(AvroFault) {
            try encoder.encode(json, root)
        } catch {
            throw error.error("JSON can't be read as Avro's \(title)")
        }
        return encoder.writer.bytes
    }
}

/// Writes Avro's JSON as binary data.
private struct JSONEncoding {
    let schema: AvroSchema
    var writer = AvroWriter()
    private var depth = 0

    init(schema: AvroSchema) { self.schema = schema }

    mutating func encode(_ value: JSON, _ place: Int) throws(AvroFault) {
        guard depth < AvroLimits.depth else { throw AvroFault("data is nested over \(AvroLimits.depth) levels") }
        depth += 1
        defer { depth -= 1 }
        switch (schema.types[place].kind, value) {
        case (.array(let items), .array(let elements)):
            if !elements.isEmpty { writer.blockCount(elements.count) }
            for (index, element) in elements.enumerated() {
                do throws(AvroFault) { try encode(element, items) } catch { throw error.within(.element(index)) }
            }
            writer.blockCount(0)
        case (.map(let values), .object(let object)):
            if !object.members.isEmpty { writer.blockCount(object.members.count) }
            for (index, member) in object.members.enumerated() {
                writer.string(member.name)
                do throws(AvroFault) { try encode(member.value, values) } catch { throw error.within(.entry(index)) }
            }
            writer.blockCount(0)
        case (.record(let record), .object(let object)):
            for field in record.fields {
                do throws(AvroFault) {
                    if let value = object[field.name] {
                        try encode(value, field.type)
                    } else if let value = field.defaultValue {
                        try encodeDefault(value, field.type)
                    } else {
                        throw AvroFault("the value is missing")
                    }
                } catch {
                    throw error.within(.field(field.name))
                }
            }
        case (.union(let branches), _):
            let name: String
            var inner = value
            switch value {
            case .null: name = "null"
            case .object(let object) where object.members.count == 1:
                name = object.members[0].name
                inner = object.members[0].value
            default: throw AvroFault("\(value.kind) stands for a union, without the name of a branch around it")
            }
            let index = branches.firstIndex { (schema.types[$0].name ?? schema.types[$0].kind.word) == name }
            guard let index else { throw AvroFault("the union has no branch of that name") }
            writer.index(index)
            try encode(inner, branches[index])
        default: try encodeDefault(value, place)
        }
    }

    /// What isn't made of parts has the form of a default.
    private mutating func encodeDefault(_ value: JSON, _ place: Int) throws(AvroFault) {
        var encoder = DefaultEncoder(schema: schema, takesAnyBranch: true)
        try encoder.encode(value, place)
        writer.fixed(encoder.writer.bytes)
    }
}
