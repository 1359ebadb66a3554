package import Dionysus
package import DionysusSchemas

/// How the plain messages of a topic are written, with all that had to be asked for.
package struct MessageEncoding: Sendable {
    private enum Body: Sendable {
        case json
        case converted(@Sendable (JSON) throws -> [UInt8])
        case avro(AvroSchema)
    }

    private enum Key: Sendable {
        case none
        case plain
        /// A field of the message, in a key of its own.
        case jsonField([String])
        case avro(AvroSchema, path: [String]?)
    }

    private let topic: String
    private let body: Body
    private let key: Key
    private let prefix: [UInt8]
    private let keyPrefix: [UInt8]
    private let container: AvroSchema?
    private let headers: [MessageHeader]
    /// How the messages are CloudEvents; nil if they aren't.
    private let style: CloudEventStyle?

    /// Finds out how a topic's messages are written.
    /// - Throws: ``DionysusError`` for an encoding that they can't have, and as the registry's client does.
    package init(_ encoding: TopicEncoding, topic: String, registry: SchemaRegistryClient?) async throws {
        try await self.init(encoding, topic: topic, registry: registry, style: nil)
    }

    private init(
        _ encoding: TopicEncoding,
        topic: String,
        registry: SchemaRegistryClient?,
        style: CloudEventStyle?
    ) async throws {
        self.topic = topic
        self.style = style
        let isEvent = encoding.cloudEvents != nil
        guard let format = encoding.recordFormat else {
            (body, key, prefix, keyPrefix, container) = (.json, .plain, [], [], nil)
            headers = isEvent ? Self.facts(nil, isFramed: false, address: nil) : []
            return
        }
        let writers = try MessageWriters(format, topic: topic, registry: registry)
        let value = try await writers.value?.prepare(for: topic)
        let keys = try await writers.key?.prepare(for: topic)
        switch format.language {
        case .json: body = .json
        case .jsonSchema, .other: body = .converted(try value?.encode ?? writers.bareWriter())
        case .avro: body = .avro(try value?.avro ?? writers.requiredSchema())
        }
        switch format.key {
        case .none: key = .none
        case .plain, .message: key = .plain
        case .field(let path):
            let names = path.split(separator: ".").map(String.init)
            key = (keys?.avro ?? writers.keySchema).map { .avro($0, path: names) } ?? .jsonField(names)
        case .schema:
            guard let schema = keys?.avro ?? writers.keySchema else { throw writers.noSchema }
            key = .avro(schema, path: nil)
        }
        var framePrefix = value?.prefix ?? []
        var frameHeaders = (value?.headers ?? []) + (keys?.idHeaders ?? [])
        var container: AvroSchema?
        if case .avro(let schema) = body, value == nil {
            if format.framing == .singleObject { framePrefix = AvroSingleObject.prefix(of: schema) }
            if format.framing == .container { container = schema }
            frameHeaders.append(MessageHeader(HeaderName.schema, Array(schema.fingerprint(.crc64).hexadecimal.utf8)))
        }
        if isEvent {
            let address = value.flatMap { registry?.settings.address(ofSchema: $0.schema.id) }
            frameHeaders += Self.facts(format.language.schemaType, isFramed: !framePrefix.isEmpty, address: address)
        }
        prefix = framePrefix
        keyPrefix = keys?.prefix ?? []
        self.container = container
        headers = frameHeaders
    }

    /// What a CloudEvent says of its data, as headers.
    private static func facts(_ type: SchemaType?, isFramed: Bool, address: String?) -> [MessageHeader] {
        let contentType = TopicEncoding.contentType(type, isFramed: isFramed)
        return [MessageHeader(CloudEvent.contentType, Array(contentType.utf8))]
            + (address.map { [MessageHeader(CloudEventStyle.schemaHeader, Array($0.utf8))] } ?? [])
    }

    /// Finds out how the messages of a declared topic are written.
    /// - Throws: ``DionysusError`` with code `declaration` for a topic that isn't declared; as the other initializer.
    init(ofTopic topic: String, _ registry: Registry, _ settings: ProducerSettings) async throws {
        guard let encoding = registry.encodings[topic] else {
            throw DionysusError(
                .declaration,
                "topic \(topic) is not declared",
                advice: "these are: \(registry.encodings.keys.sorted().joined(separator: ", "))"
            )
        }
        try await self.init(
            encoding,
            topic: topic,
            registry: settings.schemaRegistry ?? registry.schemaRegistry,
            style: registry.cloudEvents[topic]
        )
    }

    /// A message as it is sent.
    /// - Throws: ``DionysusError`` with code `malformed` for what doesn't fit, or for a key that is missing.
    package func encode(_ message: PlainMessage) throws -> (key: [UInt8]?, value: [UInt8]?, headers: [MessageHeader]) {
        (try keyBytes(message), try message.value.map(valueBytes), headers + attributes(of: message))
    }

    /// Makes a message that isn't from the outbox a CloudEvent, if the topic holds those.
    func complete(_ message: inout OutgoingMessage) {
        guard let style else { return }
        style.apply(to: &message, CloudEventStyle.Facts(type: style.defaultType, time: .now))
    }

    /// The attributes of a CloudEvent that only the message knows, as headers.
    private func attributes(of message: PlainMessage) -> [MessageHeader] {
        guard let style else { return [] }
        let values = [
            (CloudEventStyle.typeHeader, message.event.map(style.type)),
            (CloudEventStyle.subjectHeader, message.key?.keyText),
        ]
        return values.compactMap { name, value in value.map { MessageHeader(name, Array($0.utf8)) } }
    }

    private func valueBytes(_ value: JSON) throws -> [UInt8] {
        switch body {
        case .json: return value.bytes
        case .converted(let convert): return prefix + (try convert(value))
        case .avro(let schema):
            let datum = try schema.encode(coercing: schema.completing(value))
            guard let container else { return prefix + datum }
            var writer = try AvroContainerWriter(schema: container)
            try writer.append(encoded: datum)
            return try writer.finish()
        }
    }

    private func keyBytes(_ message: PlainMessage) throws -> [UInt8]? {
        switch key {
        case .none: return nil
        case .plain:
            switch message.key {
            case nil, .null?: return nil
            case .string(let text)?: return Array(text.utf8)
            case let key?: return key.bytes
            }
        case .jsonField(let path):
            let value = try message.key ?? field(path, message)
            return keyPrefix + JSON.object([path.last ?? "": value]).bytes
        case .avro(let schema, let path):
            let value: JSON
            if let path, let name = path.last {
                value = .object([name: try message.key ?? field(path, message)])
            } else if let key = message.key ?? message.value {
                value = key
            } else {
                throw missingKey
            }
            return keyPrefix + (try schema.encode(coercing: value))
        }
    }

    private func field(_ path: [String], _ message: PlainMessage) throws -> JSON {
        var found = message.value
        for name in path { found = found?[name] }
        guard let found, found != .null else { throw missingKey }
        return found
    }

    private var missingKey: DionysusError {
        DionysusError(
            .malformed,
            "a message to topic \(topic) has no key, and the topic's encoding needs one",
            advice: "give the message a key or the field that keys are taken from, or let the encoding have none"
        )
    }
}

/// The schemas of plain messages, which nothing but the encoding can name.
private struct MessageWriters {
    private let topic: String
    private let format: RecordFormat
    private let schema: AvroSchema?
    let keySchema: AvroSchema?
    let value: ValueSerde?
    let key: ValueSerde?

    init(_ format: RecordFormat, topic: String, registry: SchemaRegistryClient?) throws {
        self.topic = topic
        self.format = format
        let isAvro = if case .avro = format.language { true } else { false }
        schema = isAvro ? try format.schema.avro() : nil
        switch format.key {
        case .field(let path): keySchema = try schema?.keySchema(field: path)
        case .schema(let source): keySchema = try source.avro()
        case .none, .plain, .message: keySchema = nil
        }
        guard format.framing == .registry else {
            (value, key) = (nil, nil)
            return
        }
        guard let registry else {
            throw DionysusError(
                .configuration,
                "topic \(topic) is written with schemas of a registry, and there is none",
                advice: "set DIONYSUS_SCHEMA_REGISTRY_URL, or let the encoding's framing be another"
            )
        }
        key = keySchema.map { .avro(SchemaSerde(AvroFormat.values($0), registry: registry, part: .key)) }
        switch format.language {
        case .json: value = nil
        case .avro:
            guard schema != nil || registry.settings.registration == .latest else { throw Self.noSchema(topic) }
            value = .avro(SchemaSerde(AvroFormat.values(schema), registry: registry))
        case .jsonSchema:
            guard case .text(let text) = format.schema.origin else { throw Self.noSchema(topic) }
            value = .json(try JSONRecordFormats.serde(RegistrySchema(.json, text), registry, .value))
        case .other(let other): value = .json(other.serde(registry, .value))
        }
    }

    var noSchema: DionysusError { Self.noSchema(topic) }

    private static func noSchema(_ topic: String) -> DionysusError {
        DionysusError(
            .declaration,
            "the encoding of topic \(topic) names no schema, and for messages that are no model's none can be derived",
            advice: "name one: .avro(.named(\"com.example.Event\", in: \"schemas\"))"
        )
    }

    func requiredSchema() throws -> AvroSchema {
        guard let schema else { throw noSchema }
        return schema
    }

    func bareWriter() throws -> @Sendable (JSON) throws -> [UInt8] {
        if case .other(let other) = format.language { return try other.bareWriter() }
        guard case .text(let text) = format.schema.origin else { return { $0.bytes } }
        return try JSONRecordFormats.writer(RegistrySchema(.json, text))
    }
}
