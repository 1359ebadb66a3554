package import Dionysus

/// What a producer publishes, as a document that other programs and languages can rely on.
///
/// It is derived from the declaration alone, and is the same on every run.
public struct Contract: Sendable, Hashable {
    /// The topics, by name.
    package var topics: [Topic]

    package init(topics: [Topic]) { self.topics = topics.sorted { $0.name < $1.name } }

    /// A topic and the models in it.
    package struct Topic: Sendable, Hashable {
        /// The full name.
        package var name: String
        /// The namespace that declares it; not part of the document.
        package var namespace: String?
        /// How its messages are written: `envelope`.
        package var encoding: String
        /// What its messages are spread over partitions by.
        package var partitionKey: PartitioningKey
        /// The models that it publishes for their own sake, by name.
        package var models: [Model]

        package init(
            name: String,
            namespace: String? = nil,
            encoding: String,
            partitionKey: PartitioningKey,
            models: [Model]
        ) {
            self.name = name
            self.namespace = namespace
            self.encoding = encoding
            self.partitionKey = partitionKey
            self.models = models.sorted { $0.name < $1.name }
        }
    }

    /// What messages are spread over partitions by.
    package enum PartitioningKey: Sendable, Hashable {
        /// The message key.
        case messageKey
        /// The value of an attribute.
        case attribute(String)
        /// What the application computes from these attributes.
        case computed(from: [String])
    }

    /// A model as a topic publishes it.
    package struct Model: Sendable, Hashable {
        /// The name on the wire.
        package var name: String
        /// The primary key.
        package var key: Key
        /// What its messages are spread by, where that is not the topic's.
        package var partitionKey: PartitioningKey?
        /// The attributes, in the order of the payload.
        package var attributes: [Attribute]
        /// The links, in the order of the payload.
        package var links: [Link]
        /// The models that are sideloaded into its payloads.
        package var parts: [Model]
        /// If it is the model of events, the types that they have, by name and version.
        package var events: [Event]

        package init(
            name: String,
            key: Key,
            partitionKey: PartitioningKey? = nil,
            attributes: [Attribute],
            links: [Link],
            parts: [Model],
            events: [Event] = []
        ) {
            self.name = name
            self.key = key
            self.partitionKey = partitionKey
            self.attributes = attributes
            self.links = links
            self.parts = parts.sorted { $0.name < $1.name }
            self.events = events.sorted { ($0.name, $0.version) < ($1.name, $1.version) }
        }
    }

    /// A type of events: what `data` holds where `type` and `version` are these.
    package struct Event: Sendable, Hashable {
        /// The name under which it is stored.
        package var name: String
        /// The version of its data.
        package var version: Int
        /// The members of its data; nil if they can't be found out.
        package var attributes: [Attribute]?

        package init(name: String, version: Int, attributes: [Attribute]?) {
            self.name = name
            self.version = version
            self.attributes = attributes
        }
    }

    /// A primary key.
    package struct Key: Sendable, Hashable {
        package var name: String
        package var type: ContractType

        package init(name: String, type: ContractType) {
            self.name = name
            self.type = type
        }
    }

    /// An attribute of a payload.
    package struct Attribute: Sendable, Hashable {
        package var name: String
        package var value: ContractValue

        package init(name: String, value: ContractValue) {
            self.name = name
            self.value = value
        }
    }

    /// A link of a payload.
    package struct Link: Sendable, Hashable {
        package var name: String
        package var isToMany: Bool
        /// The models to which it can lead, by name; none where it is computed.
        package var models: [String]

        package init(name: String, isToMany: Bool, models: [String]) {
            self.name = name
            self.isToMany = isToMany
            self.models = models.sorted()
        }
    }

    /// The types of primary keys, by the names of the models, with those that are only sideloaded.
    package var keyTypes: [String: ContractType] {
        Dictionary(
            topics.flatMap(\.models).flatMap(\.withParts).map { ($0.name, $0.key.type) },
            uniquingKeysWith: { first, _ in first }
        )
    }
}

extension Contract.Link {
    /// The type of the ids that it holds.
    /// - Parameter keys: The types of primary keys, by the names of the models.
    /// - Returns: nil where it leads to a model that isn't among them, or to models with keys of several types.
    package func idType(_ keys: [String: ContractType]) -> ContractType? {
        let types = Set(models.map { keys[$0] })
        return types.count == 1 ? types.first.flatMap(\.self) : nil
    }
}

extension Contract.Model {
    /// The model and those that are sideloaded into its payloads, however deep.
    package var withParts: [Contract.Model] { [self] + parts.flatMap(\.withParts) }
}

/// What an attribute can be.
package enum ContractType: String, Sendable, Hashable, CaseIterable {
    case integer, decimal, double, boolean, string, timestamp, date, uuid, bytes, json, array
}

/// The values that an attribute, or an element of a list, can have.
package struct ContractValue: Sendable, Hashable {
    package var type: ContractType
    package var isNullable: Bool
    /// Of a decimal: how many digits are behind the point, if it is always the same number.
    package var scale: Int?
    /// The only values there are, if they are known.
    package var values: [JSON]?
    /// Of an array: what its elements are; a list of at most one.
    private var items: [ContractValue]

    package init(
        _ type: ContractType,
        isNullable: Bool = false,
        scale: Int? = nil,
        values: [JSON]? = nil,
        items: ContractValue? = nil
    ) {
        self.type = type
        self.isNullable = isNullable
        self.scale = scale
        self.values = values
        self.items = items.map { [$0] } ?? []
    }

    /// Of an array: what its elements are.
    package var element: ContractValue? { items.first }
}
