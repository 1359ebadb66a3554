import Dionysus
import DionysusSchemas
import Synchronization

/// Reads data of whichever format they say that they have: of a registry, or JSON.
final class AnyRecordReader: Sendable {
    private enum Reader: Sendable {
        case avro(AvroPlan, isEnvelope: Bool)
        case json
        case refused(DionysusError)
    }

    /// So many that no honest topic has more; a hostile one must not fill the memory.
    private static let maximumReaders = 1_000

    private let registry: SchemaRegistryClient?
    private let part: MessagePart
    private let readers = Mutex<[SchemaFrame: Reader]>([:])

    init(_ registry: SchemaRegistryClient?, _ part: MessagePart) {
        self.registry = registry
        self.part = part
    }

    /// Whether data names a schema.
    func hasFrame(_ bytes: [UInt8], _ headers: [MessageHeader]) -> Bool {
        SchemaFrame.isPresent(in: bytes, headers: headers, part: part)
    }

    /// What names the schema of data, if it isn't known yet.
    func unknownFrame(_ bytes: [UInt8], _ headers: [MessageHeader]) -> SchemaFrame? {
        guard registry != nil, hasFrame(bytes, headers),
            let frame = try? SchemaFrame.parse(bytes, headers: headers, part: part, type: .avro).frame
        else { return nil }
        return readers.withLock { $0[frame] } == nil ? frame : nil
    }

    /// Asks the registry for a schema.
    func learn(_ frame: SchemaFrame) async throws {
        guard let registry else { return }
        let reader: Reader
        do {
            let schema = try AvroSchema(try await registry.schema(frame.id, type: .avro))
            reader = .avro(try AvroPlan(from: schema), isEnvelope: schema.envelope != nil)
        } catch let error as DionysusError where error.code == .malformed {
            switch registry.knownSchema(frame.id)?.schema.schema.type {
            case .json: reader = .json
            case .protobuf:
                reader = .refused(
                    DionysusError(
                        .malformed,
                        "data of Protobuf can't be read without the message that it is",
                        advice: "name the format in the topic's encoding"
                    )
                )
            default: throw error
            }
        }
        readers.withLock { readers in
            if readers.count >= Self.maximumReaders { readers.removeAll() }
            readers[frame] = reader
        }
    }

    /// Reads data.
    func read(
        _ bytes: [UInt8],
        _ headers: [MessageHeader],
        _ failures: [RecordReader.SchemaName: DionysusError]
    ) throws -> ReadValue {
        guard hasFrame(bytes, headers) else { return ReadValue(json: try JSON(parsing: bytes)) }
        guard registry != nil else {
            throw DionysusError(
                .malformed,
                "a message's \(part.rawValue) names a schema of a registry, and there is none",
                advice: "set DIONYSUS_SCHEMA_REGISTRY_URL"
            )
        }
        let (frame, data) = try SchemaFrame.parse(bytes, headers: headers, part: part, type: .avro)
        switch readers.withLock({ $0[frame] }) {
        case .avro(let plan, let isEnvelope)?:
            return ReadValue(json: try plan.plainJSON(from: data), name: plan.writer.name, isEnvelope: isEnvelope)
        case .json?: return ReadValue(json: try JSON(parsing: data))
        case .refused(let error)?: throw error
        case nil:
            throw failures[RecordReader.SchemaName(part: part, frame: frame)]
                ?? DionysusError(.malformed, "the schema of a message's \(part.rawValue) is not known")
        }
    }
}
