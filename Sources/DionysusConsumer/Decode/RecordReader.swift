import Dionysus
import DionysusSchemas
import Synchronization

/// Reads the values and keys of a topic whose encoding names a format, or leaves it open: it asks the registry, and remembers what it made of the answers.
final class RecordReader: Sendable {
    private enum Values {
        case json
        case avro(SchemaSerde<AvroFormat<JSON>>)
        /// Avro without a registry.
        case local(LocalAvroReader)
        case other(any JSONRecordSerde)
        case bare(@Sendable (ArraySlice<UInt8>) throws -> JSON)
        case any(AnyRecordReader)
    }

    /// A schema that data names, of a key or of a value.
    struct SchemaName: Hashable {
        let part: MessagePart
        let frame: SchemaFrame
    }

    private let values: Values
    private let keys: AnyRecordReader
    /// The name of the keys' field that identifies records; nil where keys tell it in another way.
    private let keyField: String?
    /// Whether keys may be `MODEL:ID`.
    private let takesMessageKeys: Bool
    /// Whether messages hold rows, whose id may stand only in their key.
    private let identifiesRows: Bool

    /// - Throws: ``DionysusError`` with code `declaration` or `configuration` for an encoding that can't be read.
    init(_ encoding: TopicEncoding, registry: SchemaRegistryClient?, topic: String) throws {
        keys = AnyRecordReader(registry, .key)
        identifiesRows = encoding.debeziumRows != nil
        guard let format = encoding.format else {
            values = .any(AnyRecordReader(registry, .value))
            keyField = nil
            takesMessageKeys = encoding.debeziumRows == nil
            return
        }
        takesMessageKeys = format.key == .message
        if case .field(let path) = format.key {
            keyField = path.split(separator: ".").last.map(String.init)
        } else {
            keyField = nil
        }
        guard format.framing == .registry else {
            values =
                switch format.language {
                case .json, .jsonSchema: .json
                case .avro: .local(try LocalAvroReader(format, topic: topic))
                case .other(let other): .bare(try other.bareReader())
                }
            return
        }
        guard let registry else { throw Self.noRegistry(topic) }
        values =
            switch format.language {
            case .json: .json
            case .jsonSchema:
                .other(SchemaSerde(try JSONSchemaFormat<JSON>.json(), registry: registry))
            case .avro: .avro(SchemaSerde(AvroFormat.json(try format.schema.avro()), registry: registry))
            case .other(let other): .other(other.serde(registry, .value))
            }
    }

    static func noRegistry(_ topic: String) -> DionysusError {
        DionysusError(
            .configuration,
            "topic \(topic) is read with schemas of a registry, and there is none",
            advice: "set DIONYSUS_SCHEMA_REGISTRY_URL, or let the encoding's framing be another"
        )
    }

    // MARK: Asking

    /// Asks the registry for the schemas of messages that aren't known yet.
    /// - Parameter withKeys: Whether the keys of all messages are read.
    /// - Returns: Why data of schemas can't be read.
    /// - Throws: ``DionysusError``, retriable, if the registry is away; with code `accessDenied` if it refuses the application.
    func learn(_ messages: [ConsumedMessage], withKeys: Bool = false) async throws -> [SchemaName: DionysusError] {
        var unknown: Set<SchemaName> = []
        for message in messages {
            if let value = message.value, let frame = unknownFrame(value, message.headers) {
                unknown.insert(SchemaName(part: .value, frame: frame))
            }
            // Only what has no value is found by its key, and rows of a table.
            if withKeys || message.value == nil || identifiesRows, let key = message.key,
                let frame = keys.unknownFrame(key, message.headers)
            {
                unknown.insert(SchemaName(part: .key, frame: frame))
            }
        }
        // An id may not have got yet to the server that was asked.
        var failures = try await ask(unknown)
        for _ in 1..<Self.attempts {
            let missing = failures.filter { $0.value.code == .unknownSchema }.map(\.key)
            guard !missing.isEmpty else { break }
            try await Task.sleep(for: Self.pause)
            for name in missing { failures[name] = nil }
            failures.merge(try await ask(Set(missing))) { $1 }
        }
        return failures.mapValues(\.ofData)
    }

    /// How often an unknown schema is asked for, with what pauses, and how many are asked for at once.
    private static let attempts = 3
    private static let pause = Duration.milliseconds(200)
    private static let questionsAtOnce = 16

    /// Asks for schemas: a producer that makes ids up must not make a batch wait for as many answers one by one.
    /// - Returns: Why some could not be learnt.
    private func ask(_ names: Set<SchemaName>) async throws -> [SchemaName: DionysusError] {
        try await withThrowingTaskGroup(of: (SchemaName, DionysusError?).self) { group in
            var failures: [SchemaName: DionysusError] = [:]
            var rest = names.makeIterator()
            for _ in 0..<Self.questionsAtOnce {
                guard let name = rest.next() else { break }
                group.addTask { (name, try await self.failure(toLearn: name)) }
            }
            while let (name, failure) = try await group.next() {
                failures[name] = failure
                guard let name = rest.next() else { continue }
                group.addTask { (name, try await self.failure(toLearn: name)) }
            }
            return failures
        }
    }

    /// - Returns: Why a schema can't be learnt; nil if it is.
    private func failure(toLearn name: SchemaName) async throws -> DionysusError? {
        do {
            try await learn(name)
            return nil
        } catch let error as DionysusError where error.code == .accessDenied || error.code == .registryUnavailable {
            throw error
        } catch let error as DionysusError {
            return error
        }
    }

    private func unknownFrame(_ value: [UInt8], _ headers: [MessageHeader]) -> SchemaFrame? {
        switch values {
        case .json, .local, .bare: return nil
        case .any(let reader): return reader.unknownFrame(value, headers)
        case .avro(let serde):
            guard let frame = try? serde.parse(value, headers: headers).frame else { return nil }
            return serde.knownReader(of: frame) == nil ? frame : nil
        case .other(let serde):
            guard let frame = try? serde.split(value, headers).frame else { return nil }
            return serde.known(frame) == nil ? frame : nil
        }
    }

    private func learn(_ name: SchemaName) async throws {
        switch (name.part, values) {
        case (.key, _): try await keys.learn(name.frame)
        case (.value, .avro(let serde)): _ = try await serde.reader(of: name.frame)
        case (.value, .other(let serde)): try await serde.learn(name.frame)
        case (.value, .any(let reader)): try await reader.learn(name.frame)
        default: break
        }
    }

    // MARK: Reading

    /// Reads a message's value.
    /// - Parameters:
    ///   - failures: Why data of schemas can't be read.
    func value(
        _ value: [UInt8],
        _ headers: [MessageHeader],
        _ failures: [SchemaName: DionysusError]
    ) throws -> ReadValue {
        switch values {
        case .json: return ReadValue(json: try JSON(parsing: value))
        case .bare(let read): return ReadValue(json: try read(value[...]))
        case .any(let reader): return try reader.read(value, headers, failures)
        case .local(let reader): return try reader.read(value)
        case .avro(let serde):
            let (frame, data) = try serde.parse(value, headers: headers)
            guard let plan = serde.knownReader(of: frame) else { throw unread(.value, frame, failures) }
            return ReadValue(json: try plan.plainJSON(from: data), name: plan.writer.name)
        case .other(let serde):
            let (frame, data) = try serde.split(value, headers)
            guard let read = serde.known(frame) else { throw unread(.value, frame, failures) }
            return ReadValue(json: try read(data))
        }
    }

    /// Reads the id of a record from its message's key.
    /// - Returns: The id, the model if the key names it, and the whole name of the key's schema if it has one.
    func id(
        _ message: ConsumedMessage,
        _ failures: [SchemaName: DionysusError]
    ) throws -> (id: JSON, model: String?, schema: String?) {
        guard let key = message.key else {
            throw DionysusError(.malformed, "a message without a value has no key that would name its record")
        }
        if keys.hasFrame(key, message.headers) {
            let read = try keys.read(key, message.headers, failures)
            return (try identity(read.json), nil, read.name)
        }
        guard let text = String(validating: key, as: UTF8.self) else {
            throw DionysusError(.malformed, "the key of a message without a value is no text and names no schema")
        }
        if text.utf8.first == UInt8(ascii: "{") { return (try identity(JSON(parsing: key)), nil, nil) }
        if let key = messageKey(message) { return (.string(key.id), key.model, nil) }
        return (.string(text), nil, nil)
    }

    /// Reads the key of a message that is no model's: by its schema if it names one, else as JSON if it is an object, else as text.
    /// - Parameter isStrict: Whether a key that begins like an object has to be one.
    /// - Returns: The key; nil if there is none, or if it is neither.
    func key(
        _ message: ConsumedMessage,
        _ failures: [SchemaName: DionysusError],
        isStrict: Bool = false
    ) throws -> JSON? {
        guard let key = message.key else { return nil }
        if keys.hasFrame(key, message.headers) { return try keys.read(key, message.headers, failures).json }
        if key.first == UInt8(ascii: "{") {
            if isStrict { return try JSON(parsing: key) }
            if let object = try? JSON(parsing: key) { return object }
        }
        return String(validating: key, as: UTF8.self).map(JSON.string)
    }

    /// The record that a key names as those of envelopes do.
    func messageKey(_ message: ConsumedMessage) -> MessageKey? {
        guard takesMessageKeys, let key = MessageKey(message.key), EventName.isModel(key.model) else { return nil }
        return key
    }

    /// The id in a key that may have fields.
    private func identity(_ key: JSON) throws -> JSON {
        guard case .object(let object) = key else { return key }
        if let keyField, let id = object[keyField] { return id }
        if let id = object["id"] { return id }
        guard object.members.count == 1 else {
            throw DionysusError(
                .malformed,
                "the key of a message without a value has several fields, and none is the id"
            )
        }
        return object.members[0].value
    }

    private func unread(
        _ part: MessagePart,
        _ frame: SchemaFrame,
        _ failures: [SchemaName: DionysusError]
    ) -> DionysusError {
        failures[SchemaName(part: part, frame: frame)]
            ?? DionysusError(.malformed, "the schema of a message's \(part.rawValue) is not known")
    }
}

extension DionysusError {
    /// An error about a schema as one of the data that was written with it.
    fileprivate var ofData: DionysusError {
        var error = self
        // A declaration that doesn't fit would stop the consumer.
        if error.code == .declaration { error.code = .malformed }
        error.isRetriable = false
        return error
    }
}
