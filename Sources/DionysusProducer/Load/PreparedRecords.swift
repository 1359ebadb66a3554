import Dionysus
import DionysusSchemas

/// How the records of one model, or events of them, are written to one topic, with all that had to be asked for.
struct PreparedRecords: Sendable {
    enum Body: Sendable {
        case json
        /// JSON that a format turns into its own bytes, or refuses.
        case converted(@Sendable (JSON) throws -> [UInt8])
        case avro(AvroRecordProgram)
    }

    /// What the data of envelopes are.
    enum Envelopes: Sendable {
        /// Payloads as JSON has them, with links of their own.
        case payloads
        /// Records in JSON, which a format turns into its own bytes.
        case records
        /// Records of an Avro schema.
        case avro(AvroEnvelopeProgram)

        var holdsRecords: Bool { if case .payloads = self { false } else { true } }
    }

    let body: Body
    /// Nil where messages hold one record each.
    var envelopes: Envelopes?
    /// What names the schema, before the data.
    var prefix: [UInt8] = []
    /// The schema that stands before each datum.
    var container: AvroSchema?
    var headers: [MessageHeader] = []
    var key: RecordKeyProgram
    /// Whether destroyed records are marked and not left out.
    var marksDeletions = false
    /// The type of values, as CloudEvents name it.
    var contentType = "application/json"
    /// Where the schema of values is, if a registry has it.
    var schemaAddress: String?

    /// Whether the same record is the same data in every message.
    var isOfRecordAlone: Bool { if case .avro(let program) = body { !program.dependsOnMessage } else { true } }

    /// Data of values as people read them.
    func readable(_ value: [UInt8]) throws -> [UInt8] {
        switch body {
        case .json: return Array(value.dropFirst(prefix.count))
        case .avro(let program):
            guard container == nil else {
                return try AvroContainer(parsing: value).documents(plain: true).first?.bytes ?? []
            }
            return try AvroPlan(from: program.schema).plainJSON(from: value.dropFirst(prefix.count)).bytes
        case .converted:
            let data = Array(value.dropFirst(prefix.count))
            return (try? JSON(parsing: data)) == nil ? JSON.string(data.base64Encoded).bytes : data
        }
    }

    /// Data of keys as people read them.
    func readable(key bytes: [UInt8]?) throws -> String {
        guard let bytes else { return "" }
        guard case .avro(let schema, _) = key.form else {
            return String(decoding: bytes.dropFirst(key.prefix.count), as: UTF8.self)
        }
        return try AvroPlan(from: schema).plainJSON(from: bytes.dropFirst(key.prefix.count)).text
    }

    /// Data as it is sent.
    func framed(_ data: [UInt8]) throws -> [UInt8] {
        guard let container else { return prefix.isEmpty ? data : prefix + data }
        var writer = try AvroContainerWriter(schema: container)
        try writer.append(encoded: data)
        return try writer.finish()
    }
}

/// A record as a message has it.
struct EncodedRecord: Sendable {
    var key: [UInt8]?
    var value: [UInt8]?
}
