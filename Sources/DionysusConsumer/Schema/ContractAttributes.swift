import Dionysus
package import DionysusSchemas

extension PublishedAttributes {
    /// What a contract says of a model.
    /// - Parameters:
    ///   - topic: The topic's full name.
    ///   - model: The model in the contract.
    package init(topic: String, model: Contract.Model) {
        self.init(
            topic: topic,
            model: model.name,
            attributes: model.attributes.map(\.name),
            links: model.links.map(\.name),
            kinds: Dictionary(
                model.attributes.map { ($0.name, $0.value.kind) },
                uniquingKeysWith: { first, _ in first }
            )
        )
    }
}

extension ContractValue {
    /// What a value is, as far as a contract says it.
    fileprivate var kind: ValueKind {
        switch type {
        case .integer: .integer(bits: 64, isSigned: true)
        case .decimal: .decimal
        case .double: .double
        case .boolean: .bool
        case .string: .text
        case .timestamp: .time
        case .date: .date
        case .uuid: .uuid
        case .bytes: .bytes
        case .json: .document
        case .array: .list(element?.kind ?? .any, hasNulls: element?.isNullable ?? true)
        }
    }
}
