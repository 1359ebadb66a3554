import Dionysus
import DionysusSchemas

// Records as the messages of a topic have them that holds records and not envelopes.

extension LoadedRecords {
    /// A record's key and value, made once however many rows of the outbox are about it.
    /// - Parameters:
    ///   - id: The record's primary key, as the outbox has it.
    ///   - records: How the topic's records are written.
    ///   - isCopy: Whether it is for another topic than the rows', whose bytes aren't these: they may name another schema.
    ///   - isDestroyed: Whether the message tells that the record is gone.
    ///   - context: What of the message its record may tell.
    ///   - kept: What is known of the record if it is gone.
    func encoded(
        of id: String,
        _ records: PreparedRecords,
        isCopy: Bool,
        isDestroyed: Bool,
        _ context: @autoclosure () -> RecordContext,
        kept: @autoclosure () -> KeptValues
    ) throws -> EncodedRecord {
        guard let index = place(of: id) else {
            let kept = kept()
            let value = records.marksDeletions ? try mark(id, records, context(), kept) : nil
            return EncodedRecord(key: try plan.key(ofGone: id, records.key, kept, encoder), value: value)
        }
        if isDestroyed {
            let value = records.marksDeletions ? try value(index, records, context(), isGone: true) : nil
            return EncodedRecord(key: try key(index, records.key), value: value)
        }
        if !isCopy, let known = encodedRecord(index) { return known }
        let record = EncodedRecord(
            key: try key(index, records.key),
            value: try value(index, records, context(), isGone: false)
        )
        if !isCopy, records.isOfRecordAlone { keep(record, index) }
        return record
    }

    // MARK: Values

    private func value(
        _ index: Int,
        _ records: PreparedRecords,
        _ context: RecordContext,
        isGone: Bool
    ) throws -> [UInt8] {
        switch records.body {
        case .avro(let program):
            try datum(program.schema, records) { try rows.write(index, program, context, isGone: isGone, into: &$0) }
        case .json, .converted:
            try records.framed(
                records.converted(
                    encoder.finished(rows.recordJSON(index, isGone: records.marksDeletions ? isGone : nil))
                )
            )
        }
    }

    /// A value of an Avro schema, with what names it.
    func datum(
        _ schema: AvroSchema,
        _ records: PreparedRecords,
        _ write: (inout AvroCoercion) throws -> Void
    ) throws -> [UInt8] {
        let bytes = try written(schema) { coercion in
            // One buffer holds what names the schema, and the datum.
            coercion.writer.fixed(records.prefix)
            try write(&coercion)
        }
        typicalSize = max(typicalSize, bytes.count)
        return records.container == nil ? bytes : try records.framed(bytes)
    }

    /// What is written of an Avro schema.
    func written(_ schema: AvroSchema, _ write: (inout AvroCoercion) throws -> Void) throws -> [UInt8] {
        var coercion = AvroCoercion(schema: schema)
        coercion.writer = AvroWriter(capacity: typicalSize)
        do {
            try write(&coercion)
        } catch let fault as AvroFault {
            throw fault.error("the record can't be written as its Avro schema has it")
        }
        return coercion.bytes
    }

    /// What is left of a record, marked as destroyed.
    private func mark(
        _ id: String,
        _ records: PreparedRecords,
        _ context: RecordContext,
        _ kept: KeptValues
    ) throws -> [UInt8] {
        switch records.body {
        case .avro(let program):
            try datum(program.schema, records) { try write(remainsOf: id, program, context, kept, into: &$0) }
        case .json, .converted:
            try records.framed(records.converted(markedRemains(of: id, kept)))
        }
    }

    /// Writes what is left of a record, as far as its schema has fields for it.
    func write(
        remainsOf id: String,
        _ program: AvroRecordProgram,
        _ context: RecordContext,
        _ kept: KeptValues,
        into coercion: inout AvroCoercion
    ) throws(AvroFault) {
        for step in program.steps {
            do throws(AvroFault) {
                if let value = plan.remains(of: id, step.field.name, kept, encoder) {
                    try coercion.write(value, step.field.type)
                } else {
                    try step.write(context, isGone: true, into: &coercion)
                }
            } catch {
                throw error.within(.field(step.field.name))
            }
        }
    }

    /// What is left of a record as JSON, marked as destroyed.
    func markedRemains(of id: String, _ kept: KeptValues) -> [UInt8] {
        var remains = payloadOfGone(id, kept)
        remains["links"] = nil
        remains[RecordDeletion.field] = true
        return encoder.finished(JSON.object(remains).bytes)
    }

    // MARK: Keys

    /// A record's key.
    func key(_ index: Int, _ key: RecordKeyProgram) throws -> [UInt8]? {
        let row = rows.row(index)
        switch key.form {
        case .none: return nil
        case .plain: return plan.text(rows.primaryKey(row))
        case .message: return plan.messageKey(rows.primaryKey(row))
        case .json, .avro: break
        }
        guard key.readsRecord else { return try key.bytes { _ in rows.primaryKey(row) } }
        let view = try RecordView(rows, index, plan.serializer.chosen(for: row))
        return try key.bytes { try view.value($0.source) }
    }
}

extension LoadPlan {
    /// What is known of an attribute of a record that is gone.
    fileprivate func remains(of id: String, _ name: String, _ kept: KeptValues, _ encoder: JSONTreeEncoder) -> JSON? {
        if name == model.primaryKey { return key.json(text: id) }
        return kept.values[name].map { KeptValues.onTheWire($0, as: columnTypes[name], encoder) }
    }

    /// The key of a record that is gone.
    /// - Throws: ``DionysusError`` with code `declaration` for a key that needs more than is known of the record.
    func key(
        ofGone id: String,
        _ program: RecordKeyProgram,
        _ kept: KeptValues,
        _ encoder: JSONTreeEncoder
    ) throws -> [UInt8]? {
        let primaryKey = DatabaseValue(json: key.json(text: id))
        return switch program.form {
        case .none: nil
        case .plain: text(primaryKey)
        case .message: messageKey(primaryKey)
        case .json, .avro:
            try program.bytes { field in
                guard field.source.readsRecord else { return primaryKey }
                guard let value = remains(of: id, field.attribute, kept, encoder) else {
                    throw DionysusError(
                        .declaration,
                        "the key's field \(field.attribute) of a record that is gone is not known any more",
                        advice: "take keys from the primary key or the partition key, which the outbox keeps"
                    )
                }
                return DatabaseValue(json: value)
            }
        }
    }

    fileprivate func text(_ key: DatabaseValue) -> [UInt8] { Array(key.primaryKeyText.utf8) }

    fileprivate func messageKey(_ key: DatabaseValue) -> [UInt8] {
        Array("\(model.name):\(key.primaryKeyText)".utf8)
    }
}

extension RecordKeyProgram {
    /// A key with its fields' values.
    /// - Throws: ``DionysusError`` with code `malformed` for a field without a value, or one that doesn't fit.
    func bytes(_ value: (Field) throws -> DatabaseValue) throws -> [UInt8] {
        switch form {
        case .none, .plain, .message: return []
        case .json(let field):
            let value = JSON(databaseValue: try self.value(field, value))
            return prefix + JSON.object([field.name: value]).bytes
        case .avro(let schema, let fields):
            var coercion = AvroCoercion(schema: schema)
            coercion.writer.fixed(prefix)
            for field in fields {
                let value = try self.value(field, value)
                do throws(AvroFault) {
                    try coercion.write(value, field.type)
                } catch {
                    throw error.within(.field(field.name)).error("the key can't be written as its Avro schema has it")
                }
            }
            return coercion.bytes
        }
    }

    private func value(_ field: Field, _ value: (Field) throws -> DatabaseValue) throws -> DatabaseValue {
        var found = try value(field)
        for name in field.path { found = DatabaseValue(json: JSON(databaseValue: found)[name] ?? .null) }
        guard !found.isNull else {
            throw DionysusError(
                .malformed,
                "there is no key: the record's field \(([field.attribute] + field.path).joined(separator: ".")) is null",
                advice: "take keys from a field that always has a value"
            )
        }
        return found
    }
}

extension PreparedRecords {
    /// JSON as the topic's format has it.
    func converted(_ json: [UInt8]) throws -> [UInt8] {
        guard case .converted(let convert) = body else { return json }
        return try convert(JSON(parsing: json))
    }
}
