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

    /// A change elsewhere that changes an attribute's value, as the database says.
    package struct DerivedObservation: Sendable {
        /// The attribute.
        package let attribute: String
        /// The table that it reads.
        package let table: String
        /// The columns; none if only the number of rows counts.
        package let columns: [String]
        /// The ways from the table's rows to those of the model.
        package let paths: [String]
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
    /// What the database says that its SQL attributes read; nothing until it has been asked.
    package let derivedObservations: [DerivedObservation]
    /// How its changes are found, if its table has no triggers.
    package let polls: [String]
}

extension Registry {
    /// The topics with their models, in the order of the declaration.
    package var outline: [PublishedTopicOutline] {
        publications.reduce(into: []) { topics, publication in
            let model = PublishedModelOutline(publication, polls.filter { $0.model == publication.model })
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

extension Registry {
    /// The outline with what a database says that SQL attributes read, and what can't be said of them.
    package func outline(
        from database: some Database
    ) async throws -> (topics: [PublishedTopicOutline], faults: [String]) {
        let derived = try await withDerivedObservers(from: database)
        return (derived.outline, derived.faults)
    }
}

extension PublishedModelOutline {
    fileprivate init(_ publication: Registry.Publication, _ polled: [PolledModel]) {
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
        derivedObservations = publication.sqlReads.observers.map { observer in
            DerivedObservation(
                attribute: observer.attribute,
                table: observer.table,
                columns: observer.columns,
                paths: observer.ways.map { $0.outline(from: observer.table) }
            )
        }
        polls = polled.map(\.outline)
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
    fileprivate var outline: String { hops.outline(from: source.table) }
}

extension [AssociationHop] {
    fileprivate func outline(from table: String) -> String {
        var table = table
        return
            map { hop in
                defer { table = hop.otherTable }
                return "\(table).\(hop.column) → \(hop.otherTable).\(hop.otherColumn)"
            }
            .joined(separator: ", ")
    }
}

extension PolledModel {
    fileprivate var outline: String {
        let how =
            switch method.kind {
            case .time(let column, _, _): "by the time \(column)"
            case .state(let column, let published, let failed, _):
                "by the state \(column), which becomes \(published) or \(failed)"
            case .fullTable(let findsDeletions): findsDeletions ? "as a whole, with deletions" : "as a whole"
            }
        return "every \(every) \(how)"
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
