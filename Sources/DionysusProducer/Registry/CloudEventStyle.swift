import Dionysus
import DionysusSchemas

/// How the messages of a topic are CloudEvents.
struct CloudEventStyle: Sendable {
    /// What an event is about, and what its data are.
    struct Facts {
        /// What happened: `rental_updated`.
        var type: String
        /// What it happened to: `Rental/42`.
        var subject: String?
        var time: Timestamp
        /// The type of the data.
        var dataType: String?
        /// Where the schema of the data is.
        var schema: String?
    }

    /// The header with which a topic's own messages say what type of event they are.
    static let typeHeader = CloudEvent.headerPrefix + "type"
    /// The header with which they say where their schema is.
    static let schemaHeader = CloudEvent.headerPrefix + "dataschema"
    /// The header with which they say what they are about.
    static let subjectHeader = CloudEvent.headerPrefix + "subject"

    let mode: CloudEventMode
    /// Who says it: `/SERVICE/NAMESPACE`.
    private let source: String
    private let namespace: String
    /// The type of messages that don't say what happened.
    private let topic: String

    init?(_ encoding: TopicEncoding, service: String, namespace: String, topic: String) {
        guard let mode = encoding.cloudEvents else { return nil }
        self.mode = mode
        source = "/\(Self.escaped(service))/\(Self.escaped(namespace))"
        self.namespace = namespace
        self.topic = topic
    }

    /// The type of messages that don't say what happened: `feed.announcements`.
    var defaultType: String { type("\(topic)") }

    /// The type of an event: `v3.rental_updated`.
    func type(_ event: String) -> String { "\(namespace).\(event)" }

    /// Makes a message an event: the headers with id, version and name of its event become attributes.
    ///
    /// One without a value always is in binary mode, because only there it is a tombstone.
    /// - Parameter binary: Whether its attributes are headers in any case.
    func apply(to message: inout OutgoingMessage, _ facts: Facts, binary: Bool = false) {
        var (id, version, trace, others, own) = (
            "", String?.none, [CloudEvent.Attribute](), [MessageHeader](), [String: String]()
        )
        var dataType = facts.dataType
        for header in message.headers {
            let text = String(decoding: header.value, as: UTF8.self)
            switch header.name {
            case HeaderName.eventID: id = text
            case HeaderName.version: version = text
            case HeaderName.event: continue
            case HeaderName.traceParent, HeaderName.traceState:
                trace.append(CloudEvent.Attribute(header.name, text))
                others.append(header)
            case CloudEvent.contentType: dataType = dataType ?? text
            case let name where name.hasPrefix(CloudEvent.headerPrefix):
                own[String(name.dropFirst(CloudEvent.headerPrefix.count))] = text
            default: others.append(header)
            }
        }
        var attributes = [
            CloudEvent.Attribute("id", id), CloudEvent.Attribute("source", source),
            CloudEvent.Attribute("type", own["type"] ?? facts.type),
        ]
        func add(_ name: String, _ value: String?) {
            if let value { attributes.append(CloudEvent.Attribute(name, value)) }
        }
        add("subject", own["subject"] ?? facts.subject)
        add("time", facts.time.iso8601())
        add("dataschema", own["dataschema"] ?? facts.schema)
        add(CloudEvent.version, version)
        attributes += trace
        let taken = Set(attributes.map(\.name) + ["specversion"])
        for (name, value) in own.sorted(by: { $0.key < $1.key }) where !taken.contains(name) { add(name, value) }
        let event = CloudEvent(attributes, dataType: message.value == nil ? nil : dataType, data: message.value)
        if mode == .binary || binary || message.value == nil {
            message.headers = event.headers + others
        } else {
            message.headers = [MessageHeader(CloudEvent.contentType, Array(CloudEvent.structuredType.utf8))] + others
            message.value = event.document
        }
    }

    /// A name as a part of a path.
    private static func escaped(_ name: String) -> String {
        name.utf8
            .map { byte in
                let isPlain = byte < 0x80 && (Character(UnicodeScalar(byte)).isLetter || (0x30...0x39).contains(byte))
                return isPlain || [0x2d, 0x2e, 0x5f, 0x7e].contains(byte)
                    ? String(UnicodeScalar(byte)) : "%" + [byte].hexadecimal.uppercased()
            }
            .joined()
    }
}

extension TopicEncoding {
    /// The content type of data in a schema's language.
    /// - Parameter isFramed: Whether something that names the schema stands before them.
    static func contentType(_ type: SchemaType?, isFramed: Bool) -> String {
        switch type {
        case .avro?: "application/avro"
        case .protobuf?: "application/protobuf"
        case .json?, nil: isFramed ? "application/octet-stream" : "application/json"
        }
    }
}

extension SchemaRegistrySettings {
    /// Where a schema is in the registry, without what gives access to it; nil if the registry has no address.
    func address(ofSchema id: UInt32) -> String? {
        guard let url = urls.first, let scheme = url.range(of: "://") else { return nil }
        let rest = url[scheme.upperBound...]
        let host = rest.prefix { $0 != "/" }
        // What stands before the last @ is a user and a password.
        let place = host.lastIndex(of: "@").map { rest[rest.index(after: $0)...] } ?? rest
        let base = place.hasSuffix("/") ? place.dropLast() : place
        return "\(url[..<scheme.lowerBound])://\(base)/schemas/ids/\(id)"
    }
}
