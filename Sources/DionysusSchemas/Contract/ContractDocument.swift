package import Dionysus

extension Contract {
    /// The version of the document's form.
    private static let form: Int64 = 1

    /// The contract as a JSON document.
    package var document: JSON {
        .object(["dionysus": .integer(Self.form), "topics": .array(topics.map(\.document))])
    }

    /// Reads a contract.
    /// - Parameter document: The bytes of a JSON document, as the command `contract` writes it; members that it doesn't know are
    ///   ignored.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed`, and the place in the document.
    public init(parsing document: some Collection<UInt8>) throws {
        let root = ContractNode(value: try JSON(parsing: document), path: "$")
        let version = try root["dionysus"]?.integer()
        guard version == Self.form else {
            throw root.fault(
                version.map { "it has the form \($0), and only \(Self.form) is known" }
                    ?? "it is no contract: its member dionysus is missing"
            )
        }
        let topics = try root.list("topics").map(Topic.init)
        try root.requireUnique(topics.map(\.name), "topics")
        self.init(topics: topics)
    }
}

extension Contract.Topic {
    fileprivate var document: JSON {
        .object([
            "name": .string(name), "encoding": .string(encoding), "partition_key": partitionKey.document,
            "models": .array(models.map(\.document)),
        ])
    }

    fileprivate init(_ node: ContractNode) throws {
        let models = try node.list("models").map(Contract.Model.init)
        try node.requireUnique(models.map(\.name), "models")
        self.init(
            name: try node.text("name"),
            encoding: try node.text("encoding"),
            partitionKey: try node["partition_key"].map(Contract.PartitioningKey.init) ?? .messageKey,
            models: models
        )
    }
}

extension Contract.PartitioningKey {
    fileprivate var document: JSON {
        switch self {
        case .messageKey: .null
        case .attribute(let name): .string(name)
        case .computed(let attributes): .object(["computed_from": .array(attributes.map(JSON.string))])
        }
    }

    fileprivate init(_ node: ContractNode) throws {
        switch node.value {
        case .null: self = .messageKey
        case .string(let name): self = .attribute(name)
        default: self = .computed(from: try node.list("computed_from").map { try $0.text() })
        }
    }
}

extension Contract.Model {
    fileprivate var document: JSON {
        var object: JSON.Object = [
            "name": .string(name), "key": .object(["name": .string(key.name), "type": .string(key.type.rawValue)]),
        ]
        object["partition_key"] = partitionKey?.document
        object["attributes"] = .array(attributes.map(\.document))
        object["links"] = .array(links.map(\.document))
        object["with"] = .array(parts.map(\.document))
        if !events.isEmpty { object["events"] = .array(events.map(\.document)) }
        return .object(object)
    }

    fileprivate init(_ node: ContractNode) throws {
        let name = try node.text("name")
        let keyNode = try node.member("key")
        let key = Contract.Key(name: try keyNode.text("name"), type: try keyNode.type())
        let attributes = try node.list("attributes").map(Contract.Attribute.init)
        let links = try node.optionalList("links").map(Contract.Link.init)
        let parts = try node.optionalList("with").map(Contract.Model.init)
        let events = try node.optionalList("events").map(Contract.Event.init)
        try node.requireUnique(attributes.map(\.name), "attributes")
        try node.requireUnique(links.map(\.name), "links")
        try node.requireUnique(parts.map(\.name), "with")
        try node.requireUnique(events.map(\.name), "events")
        self.init(
            name: name,
            key: key,
            partitionKey: try node["partition_key"].map(Contract.PartitioningKey.init),
            attributes: attributes,
            links: links,
            parts: parts,
            events: events
        )
    }
}

extension Contract.Event {
    fileprivate var document: JSON {
        var object: JSON.Object = ["name": .string(name), "version": .integer(Int64(version))]
        object["attributes"] = attributes.map { .array($0.map(\.document)) }
        return .object(object)
    }

    fileprivate init(_ node: ContractNode) throws {
        let attributes = try node["attributes"]?.list().map(Contract.Attribute.init)
        try node.requireUnique((attributes ?? []).map(\.name), "attributes")
        let version = try node.member("version")
        guard let number = Int(exactly: try version.integer()), number > 0 else {
            throw version.fault("a version is a number above 0")
        }
        self.init(name: try node.text("name"), version: number, attributes: attributes)
    }
}

extension Contract.Attribute {
    fileprivate var document: JSON {
        var object: JSON.Object = ["name": .string(name)]
        object.members += value.members
        return .object(object)
    }

    fileprivate init(_ node: ContractNode) throws {
        self.init(name: try node.text("name"), value: try ContractValue(node))
    }
}

extension ContractValue {
    fileprivate var members: [JSON.Object.Member] {
        var object: JSON.Object = ["type": .string(type.rawValue), "nullable": .bool(isNullable)]
        object["scale"] = scale.map { .integer(Int64($0)) }
        object["values"] = values.map(JSON.array)
        object["items"] = element.map { .object(JSON.Object($0.members)) }
        return object.members
    }

    fileprivate init(_ node: ContractNode) throws {
        let scale = try node["scale"]
            .map { node in
                guard let scale = Int(exactly: try node.integer()), (0...1000).contains(scale) else {
                    throw node.fault("a scale is a number from 0 to 1000")
                }
                return scale
            }
        self.init(
            try node.type(),
            isNullable: try node["nullable"]?.boolean() ?? false,
            scale: scale,
            values: try node["values"].map { try $0.list().map(\.value) },
            items: try node["items"].map(ContractValue.init)
        )
    }
}

extension Contract.Link {
    fileprivate var document: JSON {
        .object([
            "name": .string(name), "to": .string(isToMany ? "many" : "one"), "models": .array(models.map(JSON.string)),
        ])
    }

    fileprivate init(_ node: ContractNode) throws {
        let to = try node.member("to")
        let isToMany: Bool
        switch try to.text() {
        case "one": isToMany = false
        case "many": isToMany = true
        default: throw to.fault("a link leads to one or many")
        }
        self.init(
            name: try node.text("name"),
            isToMany: isToMany,
            models: try node.optionalList("models").map { try $0.text() }
        )
    }
}

/// A value of a document, and where it stands.
private struct ContractNode {
    let value: JSON
    let path: String

    subscript(name: String) -> ContractNode? {
        value[name].map { ContractNode(value: $0, path: "\(path).\(name)") }
    }

    func member(_ name: String) throws -> ContractNode {
        guard case .object = value else { throw fault("an object is expected") }
        guard let node = self[name] else { throw fault("its member \(name) is missing") }
        return node
    }

    func text(_ name: String) throws -> String { try member(name).text() }
    func list(_ name: String) throws -> [ContractNode] { try member(name).list() }
    func optionalList(_ name: String) throws -> [ContractNode] { try self[name]?.list() ?? [] }

    func text() throws -> String {
        guard case .string(let text) = value, !text.isEmpty else { throw fault("a text is expected") }
        return text
    }

    func integer() throws -> Int64 {
        guard case .integer(let number) = value else { throw fault("a whole number is expected") }
        return number
    }

    func boolean() throws -> Bool {
        guard case .bool(let flag) = value else { throw fault("true or false is expected") }
        return flag
    }

    func list() throws -> [ContractNode] {
        guard case .array(let elements) = value else { throw fault("a list is expected") }
        return elements.enumerated().map { ContractNode(value: $1, path: "\(path)[\($0)]") }
    }

    func type() throws -> ContractType {
        let node = try member("type")
        guard let type = ContractType(rawValue: try node.text()) else {
            throw node.fault(
                "no such type; the types are \(ContractType.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
        return type
    }

    func requireUnique(_ names: [String], _ list: String) throws {
        var seen: Set<String> = []
        for name in names where !seen.insert(name).inserted {
            throw fault("its \(list) have the name \(name) twice")
        }
    }

    func fault(_ message: String) -> DionysusError {
        DionysusError(
            .malformed,
            "the contract can't be read at \(path): \(message)",
            advice: "write the contract again with `contract --write`"
        )
    }
}
