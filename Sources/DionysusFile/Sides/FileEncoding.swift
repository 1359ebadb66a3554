import Dionysus
import DionysusApplication
import DionysusSchemas

extension TopicEncoding {
    /// The encoding that a topic of a file names; envelopes where it names none, and records of messages.
    init(topic node: FileNode) {
        let cloudEvents = node["cloud_events"]?.text.flatMap(CloudEventMode.init)
        var encoding = TopicEncoding(node["encoding"]) ?? (node["messages"]?.flag == true ? .record(.json) : .envelope)
        if encoding.debeziumRows != nil, let rows = node["rows"] { encoding = .debezium(DebeziumRows(rows)) }
        self = cloudEvents.map(encoding.cloudEvents) ?? encoding
    }

    private init?(_ node: FileNode?) {
        guard let node else { return nil }
        if let envelope = node["envelope"]?.text {
            self = RecordFormat(envelope, node).map { .envelope($0) } ?? .envelope
            return
        }
        let name = node.text ?? node["record"]?.text
        let deletions: RecordDeletion = node["deletions"]?.text == "marked" ? .marked : .null
        self =
            switch name {
            case "auto": .auto
            case "debezium": .debezium
            default: RecordFormat(name, node).map { .record($0, deletions: deletions) } ?? .envelope
            }
    }
}

extension RecordFormat {
    fileprivate init?(_ name: String?, _ node: FileNode) {
        let schema = node["schema"].flatMap(RecordSchema.init(file:)) ?? .derived
        let key = node["key"].map(RecordKeyFormat.init) ?? .plain
        let framing = node["framing"]?.text.flatMap(SchemaFraming.init(file:)) ?? .registry
        switch name {
        case "json": self = .json(key: key)
        case "avro": self = .avro(schema, key: key, framing: framing)
        case "json_schema": self = .jsonSchema(schema, key: key, framing: framing)
        default: return nil
        }
    }
}

extension RecordSchema {
    fileprivate init?(file node: FileNode) {
        if let text = node.text {
            self = .text(text)
        } else {
            guard let name = node["name"]?.text, let folder = node["folder"]?.text else { return nil }
            self = .named(name, in: folder)
        }
    }
}

extension RecordKeyFormat {
    fileprivate init(_ node: FileNode) {
        self =
            switch node.text {
            case "none": .none
            case "message": .message
            default:
                node["schema"].flatMap(RecordSchema.init(file:)).map(RecordKeyFormat.schema)
                    ?? node["field"]?.text.map(RecordKeyFormat.field) ?? .plain
            }
    }
}

extension SchemaFraming {
    fileprivate init?(file name: String) {
        switch name {
        case "registry": self = .registry
        case "bare": self = .bare
        case "single_object": self = .singleObject
        case "container": self = .container
        default: return nil
        }
    }
}

extension DebeziumRows {
    fileprivate init(_ node: FileNode) {
        self.init()
        key = node["key"]?.text
        for column in node["columns"]?.entries ?? [] {
            columns[column.name] = column.value.text.flatMap(DebeziumColumnType.type(named:))
        }
        order = DebeziumColumnType.orders.first { $0.name == node["order"]?.text }?.order ?? .position
        if let text = node["unavailable_value"]?.text { unavailableValue = text }
    }
}
