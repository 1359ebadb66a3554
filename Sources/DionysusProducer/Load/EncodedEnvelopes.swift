import Dionysus
import DionysusSchemas

// Envelopes as the messages of a topic have them whose encoding names a format.

extension LoadedRecords {
    /// A record's key, and an envelope with one event of it.
    /// - Parameters:
    ///   - id: The record's primary key, as the outbox has it.
    ///   - form: What the envelope's data are.
    ///   - records: How the topic's messages are written.
    ///   - isCopy: Whether it is for another topic than the rows', whose bytes aren't these: they may name another schema.
    ///   - context: What of the message its record may tell.
    ///   - kept: What is known of the record if it is gone.
    func enveloped(
        of id: String,
        _ event: EventName,
        _ form: PreparedRecords.Envelopes,
        _ records: PreparedRecords,
        isCopy: Bool,
        _ context: @autoclosure () -> RecordContext,
        kept: @autoclosure () -> KeptValues
    ) throws -> EncodedRecord {
        guard let index = place(of: id) else {
            let kept = kept()
            let key = try plan.key(ofGone: id, records.key, kept, encoder)
            let value = try value(event, form, records) { program in
                try remains(of: id, program, context(), kept)
            } json: {
                try form.holdsRecords ? markedRemains(of: id, kept) : payload(of: id, kept: kept)
            }
            return EncodedRecord(key: key, value: value)
        }
        let known = isCopy ? nil : encodedRecord(index)
        let key = try known?.key ?? key(index, records.key)
        var datum: [UInt8]?
        let value = try value(event, form, records) { program in
            let written = try known?.value ?? datumOf(index, program, context())
            datum = written
            return written
        } json: {
            try form.holdsRecords ? encoder.finished(rows.recordJSON(index)) : payload(of: id)
        }
        // The record is the same in every event that tells of it.
        if !isCopy, known == nil, records.isOfRecordAlone { keep(EncodedRecord(key: key, value: datum), index) }
        return EncodedRecord(key: key, value: value)
    }

    private func value(
        _ event: EventName,
        _ form: PreparedRecords.Envelopes,
        _ records: PreparedRecords,
        datum: (AvroEnvelopeProgram) throws -> [UInt8],
        json: () throws -> [UInt8]
    ) throws -> [UInt8] {
        guard case .avro(let program) = form else {
            let bytes = [UInt8].envelope(event: event, model: plan.model.name, payload: try json())
            return try records.framed(records.converted(bytes))
        }
        let data = try datum(program)
        return try self.datum(program.schema, records) {
            try program.write(event, of: plan.model.name, data, into: &$0)
        }
    }

    /// A record as the data of an event.
    private func datumOf(_ index: Int, _ program: AvroEnvelopeProgram, _ context: RecordContext) throws -> [UInt8] {
        try written(program.record) { try rows.write(index, program.record.program, context, into: &$0) }
    }

    /// What is left of a record as the data of an event.
    private func remains(
        of id: String,
        _ program: AvroEnvelopeProgram,
        _ context: RecordContext,
        _ kept: KeptValues
    ) throws -> [UInt8] {
        try written(program.remains) { try write(remainsOf: id, program.remains.program, context, kept, into: &$0) }
    }

    private func written(
        _ branch: AvroRecordProgram.Branch,
        _ write: (inout AvroCoercion) throws -> Void
    ) throws -> [UInt8] {
        try written(branch.program.schema) { coercion in
            if let index = branch.index { coercion.writer.index(index) }
            try write(&coercion)
        }
    }
}

extension [UInt8] {
    /// An envelope with one event of one record, as JSON.
    static func envelope(event: EventName, model: String, payload: [UInt8]) -> [UInt8] {
        var writer = JSONWriter(capacity: payload.count + 96)
        writer.literal(#"{"message":[{"event":"#)
        writer.write(event.description)
        writer.literal(#","model_name":"#)
        writer.write(model)
        writer.literal(#","data":["#)
        writer.append(payload)
        writer.literal("]}]}")
        return writer.bytes
    }
}
