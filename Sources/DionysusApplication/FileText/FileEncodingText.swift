import Dionysus
import DionysusSchemas

extension TopicEncoding {
    /// The keys of a topic that say how its messages are written.
    /// - Parameter unsaid: Gets what only code can say.
    func fileMembers(ofMessages: Bool = false, _ unsaid: inout [String]) -> [JSON.Object.Member] {
        var members: [JSON.Object.Member] = []
        switch shape {
        case .envelope(nil): break
        case .envelope(let format?):
            if let value = format.fileValue("envelope") {
                members.append(.init("encoding", .object(value)))
            } else {
                unsaid.append("the encoding \(name), whose types are compiled")
            }
        case .auto: members.append(.init("encoding", "auto"))
        case .debezium(let rows):
            members.append(.init("encoding", "debezium"))
            let value = rows.fileValue
            if !value.members.isEmpty { members.append(.init("rows", .object(value))) }
        case .record(let format, let deletions):
            if var value = format.fileValue("record") {
                if deletions == .marked { value["deletions"] = "marked" }
                let isDefault = ofMessages && value == ["record": "json"]
                if !isDefault { members.append(.init("encoding", .object(value))) }
            } else {
                unsaid.append("the encoding \(name), whose types are compiled")
            }
        }
        if let cloudEvents { members.append(.init("cloud_events", .string(cloudEvents.rawValue))) }
        return members
    }
}

extension RecordFormat {
    /// - Parameter shape: The key that says what messages hold.
    fileprivate func fileValue(_ shape: String) -> JSON.Object? {
        var value: JSON.Object = [:]
        switch language {
        case .json: value[shape] = "json"
        case .jsonSchema: value[shape] = "json_schema"
        case .avro: value[shape] = "avro"
        case .other: return nil
        }
        switch key {
        case .plain: break
        case .none: value["key"] = "none"
        case .message: value["key"] = "message"
        case .field(let name): value["key"] = ["field": .string(name)]
        case .schema(let schema): if let schema = schema.fileValue { value["key"] = .object(["schema": schema]) }
        }
        switch framing {
        case .registry, .none: break
        case .bare: value["framing"] = "bare"
        case .singleObject: value["framing"] = "single_object"
        case .container: value["framing"] = "container"
        }
        value["schema"] = schema.fileValue
        return value
    }
}

extension RecordSchema {
    fileprivate var fileValue: JSON? {
        switch origin {
        case .derived: nil
        case .text(let text): .string(text)
        case .named(let name, let folder): ["name": .string(name), "folder": .string(folder)]
        }
    }
}

extension DebeziumRows {
    fileprivate var fileValue: JSON.Object {
        let standard = DebeziumRows()
        var value: JSON.Object = [:]
        value["key"] = key.map(JSON.string)
        if !columns.isEmpty {
            let names = columns.sorted { $0.key < $1.key }
            value["columns"] = .object(
                .init(names.map { .init($0.key, .string(DebeziumColumnType.name(of: $0.value))) })
            )
        }
        if order != standard.order {
            value["order"] = DebeziumColumnType.orders.first { $0.order == order }.map { .string($0.name) }
        }
        if unavailableValue != standard.unavailableValue { value["unavailable_value"] = .string(unavailableValue) }
        return value
    }
}
