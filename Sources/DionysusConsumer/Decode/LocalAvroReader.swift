import Dionysus
import DionysusSchemas

/// Reads Avro data without a registry.
struct LocalAvroReader: Sendable {
    private let schema: AvroSchema?
    private let framing: SchemaFraming
    private let plan: AvroPlan?

    /// - Throws: ``DionysusError`` with code `declaration` if nothing says how data is read.
    init(_ format: RecordFormat, topic: String) throws {
        schema = try format.schema.avro()
        framing = format.framing
        guard schema != nil || framing == .container else {
            throw DionysusError(
                .declaration,
                "topic \(topic) holds Avro data without its schema, and the encoding names none",
                advice: "name the schema that the producer writes with"
            )
        }
        plan = try schema.map { try AvroPlan(from: $0) }
    }

    /// Reads a value.
    func read(_ value: [UInt8]) throws -> ReadValue {
        if framing == .container {
            let container = try AvroContainer(parsing: value)
            let documents = try container.documents(plain: true, as: schema)
            guard documents.count == 1 else {
                throw DionysusError(.malformed, "the value is a container of \(documents.count) records, not of one")
            }
            return ReadValue(json: documents[0], name: container.schema.name)
        }
        guard let plan else { throw DionysusError(.malformed, "there is no schema to read the value with") }
        guard framing == .singleObject else {
            return ReadValue(json: try plan.plainJSON(from: value), name: plan.writer.name)
        }
        let (fingerprint, datum) = try AvroSingleObject.parts(of: value)
        guard fingerprint == plan.writer.crc64 else {
            throw DionysusError(
                .malformed,
                "the value was written with another Avro schema, which its fingerprint tells",
                advice: "use a registry, where readers find every version"
            )
        }
        return ReadValue(json: try plan.plainJSON(from: datum), name: plan.writer.name)
    }
}
