import DionysusSchemas

extension TopicEncoding {
    /// The encoding that a file names; envelopes where it names none.
    init(_ node: FileNode?) {
        guard let node else {
            self = .envelope
            return
        }
        let name = node.text ?? node["record"]?.text
        let schema = node["schema"]?.text.map(RecordSchema.text) ?? .derived
        let key = node["key"].map(RecordKeyFormat.init) ?? .plain
        let framing = node["framing"]?.text.flatMap(SchemaFraming.init(file:)) ?? .registry
        let deletions: RecordDeletion = node["deletions"]?.text == "marked" ? .marked : .null
        self =
            switch name {
            case "auto": .auto
            case "json": .record(.json(key: key), deletions: deletions)
            case "avro": .record(.avro(schema, key: key, framing: framing), deletions: deletions)
            case "json_schema": .record(.jsonSchema(schema, key: key, framing: framing), deletions: deletions)
            default: .envelope
            }
    }
}

extension RecordKeyFormat {
    fileprivate init(_ node: FileNode) {
        self =
            switch node.text {
            case "none": .none
            case "message": .message
            default: node["field"]?.text.map(RecordKeyFormat.field) ?? .plain
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
