import Dionysus
import DionysusSchemas

/// How events of one model are written as envelopes of an Avro schema, worked out once for both.
struct AvroEnvelopeProgram: Sendable {
    let schema: AvroSchema
    /// The model's records.
    let record: AvroRecordProgram.Branch
    /// What is left of a record that no longer exists.
    let remains: AvroRecordProgram.Branch
    private let envelope: AvroEnvelope

    /// - Parameter plan: How the model's records are loaded.
    /// - Throws: ``DionysusError`` with code `declaration` for a schema that the model's events can't be written with.
    init(_ plan: LoadPlan, _ schema: AvroSchema) throws {
        let envelope = try schema.requiredEnvelope
        let model = plan.model.name
        guard let record = envelope.branch(of: model) else {
            throw DionysusError(
                .declaration,
                "the data of envelopes of an Avro schema can't be records of \(model)",
                advice: "add a record that is called \(model) to the types of \"data\""
            )
        }
        let needed: Set = [AvroEnvelope.events, AvroEnvelope.event, AvroEnvelope.model, AvroEnvelope.data]
        for field in envelope.record.fields + envelope.eventRecord.fields where !needed.contains(field.name) {
            guard field.defaultValue == nil, !schema.types[field.type].isNullable(in: schema) else { continue }
            throw DionysusError(
                .declaration,
                "nothing fills the field \(field.name) of an envelope's Avro schema, which has no default",
                advice: "give it a default, or remove it"
            )
        }
        self.schema = schema
        self.envelope = envelope
        func branch(_ found: AvroEnvelope.Branch) throws -> AvroRecordProgram.Branch {
            AvroRecordProgram.Branch(index: found.index, program: try AvroRecordProgram(plan, schema, type: found.type))
        }
        self.record = try branch(record)
        remains = try envelope.branch(ofRemains: model).map(branch) ?? self.record
    }

    /// Writes an envelope with one event.
    /// - Parameter datum: The data: one record, behind the place of its branch.
    func write(
        _ event: EventName,
        of model: String,
        _ datum: [UInt8],
        into coercion: inout AvroCoercion
    ) throws(AvroFault) {
        for field in envelope.record.fields {
            guard field.name == AvroEnvelope.events else {
                try coercion.writeMissing(field)
                continue
            }
            coercion.writer.blockCount(1)
            for field in envelope.eventRecord.fields {
                switch field.name {
                case AvroEnvelope.event: try coercion.write(DatabaseValue.text(event.description), field.type)
                case AvroEnvelope.model: try coercion.write(DatabaseValue.text(model), field.type)
                case AvroEnvelope.data:
                    coercion.writer.blockCount(1)
                    coercion.writer.fixed(datum)
                    coercion.writer.blockCount(0)
                default: try coercion.writeMissing(field)
                }
            }
            coercion.writer.blockCount(0)
        }
    }
}
