package import Dionysus

/// A topic as a declaration has it, for people to read.
package struct PublishedTopicOutline: Sendable {
    /// The topic's full name.
    package let name: String
    /// The topic that gets every message too, if there is one.
    package let genesisTopic: String?
    /// How its messages are written, as in a contract.
    package let encoding: String
    /// The models that it publishes.
    package var models: [PublishedModelOutline]
}

/// A model as a topic publishes it, for people to read.
package struct PublishedModelOutline: Sendable {
    /// A change elsewhere that publishes the model.
    package struct Observation: Sendable {
        /// The other model.
        package let model: String
        /// Its attributes.
        package let attributes: [String]
        /// The way from the other model to this one.
        package let path: String
    }

    /// A model that is published with another.
    package struct Part: Sendable {
        /// The part's model.
        package let model: String
        /// The way to it.
        package let path: String
        /// Its own parts.
        package let parts: [Part]
    }

    /// The model's name.
    package let model: String
    /// The table.
    package let table: String
    /// What its messages are spread by: an attribute, or in words.
    package let partitionKey: String
    /// The names of its attributes in payloads.
    package let attributes: [String]
    /// What those of its attributes are that are properties.
    package let kinds: [String: ValueKind]
    /// The names of its links.
    package let links: [String]
    /// What is published with it.
    package let parts: [Part]
    /// What else publishes it.
    package let observations: [Observation]
}

extension Registry {
    /// The topics with their models, in the order of the declaration.
    package var outline: [PublishedTopicOutline] {
        publications.reduce(into: []) { topics, publication in
            let model = PublishedModelOutline(publication)
            if let index = topics.firstIndex(where: { $0.name == publication.topic }) {
                topics[index].models.append(model)
            } else {
                topics.append(
                    PublishedTopicOutline(
                        name: publication.topic,
                        genesisTopic: publication.genesisTopic,
                        encoding: publication.encoding.name,
                        models: [model]
                    )
                )
            }
        }
    }
}

extension PublishedModelOutline {
    fileprivate init(_ publication: Registry.Publication) {
        let plan = publication.plan(for: publication.model)
        model = publication.model.name
        table = publication.model.table
        partitionKey = publication.partitionKey.outline
        attributes = plan.attributes?.map(\.name) ?? (try? publication.model.columns().map(\.name)) ?? []
        let columns = (try? publication.model.columns()) ?? []
        let properties = plan.properties?.map(\.name) ?? attributes
        kinds = Dictionary(
            columns.filter { properties.contains($0.name) }.map { ($0.name, $0.kind) },
            uniquingKeysWith: { $1 }
        )
        links = plan.relationships.map(\.name)
        parts = publication.aggregate.map(Part.init)
        observations = publication.observations.map { observation in
            Observation(
                model: observation.model.name,
                attributes: observation.columns,
                path: observation.association.outline
            )
        }
    }
}

extension PublishedModelOutline.Part {
    fileprivate init(_ dependency: DependencyDescription) {
        model = dependency.association.target.name
        path = dependency.association.outline
        parts = dependency.dependencies.map(PublishedModelOutline.Part.init)
    }
}

extension AssociationDescription {
    /// The columns that lead from one table to the next: `accounts.id → rentals.account_id`.
    fileprivate var outline: String {
        var table = source.table
        return
            hops.map { hop in
                defer { table = hop.otherTable }
                return "\(table).\(hop.column) → \(hop.otherTable).\(hop.otherColumn)"
            }
            .joined(separator: ", ")
    }
}

extension PublicationPartitionKey {
    fileprivate var outline: String {
        switch self {
        case .messageKey: "the message key"
        case .column(let name): name
        case .computed(let key):
            key.columns.isEmpty ? "computed" : "computed from \(key.columns.joined(separator: ", "))"
        }
    }
}
