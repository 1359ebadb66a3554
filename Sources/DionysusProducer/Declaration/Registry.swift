import Dionysus

/// What is published where: a producer's declaration, looked up.
public struct Registry: Sendable {
    /// A model in a topic.
    struct Publication: Sendable {
        let topic: String
        let genesisTopic: String?
        let model: ModelDescription
        let partitionKey: String?
        let dependencies: [AssociationDescription]
        let observations: [Observation]
        let serializers: Serializers
        let publishesAfterCommit: Bool

        func plan(for model: ModelDescription) -> SerializerPlan {
            serializers.serializer(of: model).map { SerializerPlan($0) } ?? SerializerPlan(encoding: model)
        }
    }

    let publications: [Publication]

    /// Reads a declaration.
    /// - Parameters:
    ///   - producer: The declaration.
    ///   - settings: The settings, for the default partition key.
    public init(_ producer: some Producer, settings: ProducerSettings = ProducerSettings()) {
        publications = producer.namespaces.flatMap { namespace in
            namespace.topics.flatMap { topic in
                let name = "\(settings.topicPrefix)\(namespace.name)_\(topic.name)"
                return topic.publications.map { published in
                    Publication(
                        topic: name,
                        genesisTopic: topic.genesisReplica ? name + "_genesis" : nil,
                        model: published.model,
                        partitionKey: published.partitionKey ?? topic.partitionKey ?? settings.defaultPartitionKey,
                        dependencies: published.dependencies,
                        observations: published.observations,
                        serializers: namespace.serializers,
                        publishesAfterCommit: published.publishesAfterCommit ?? settings.publishesAfterCommit
                    )
                }
            }
        }
    }

    /// The topics that publish a model.
    /// - Parameter modelName: The model's name.
    /// - Returns: Their full names.
    public func topics(publishing modelName: String) -> [String] {
        publications.filter { $0.model.name == modelName }.map(\.topic)
    }

    /// The models of which a model is a dependency.
    /// - Parameters:
    ///   - modelName: The model's name.
    ///   - topic: The topic's full name, or nil for all topics.
    /// - Returns: The names of the models it is published with.
    public func parents(ofDependency modelName: String, in topic: String? = nil) -> [String] {
        publications
            .filter { topic == nil || $0.topic == topic }
            .filter { $0.dependencies.contains { $0.target.name == modelName } }
            .map(\.model.name)
    }

    /// Topics, their models, and what each is published with.
    public var dependencies: [String: [String: [String]]] {
        publications.reduce(into: [:]) { result, publication in
            result[publication.topic, default: [:]][publication.model.name] = publication.dependencies.map(
                \.target.name
            )
        }
    }

    /// All topics that are written to, the genesis topics among them.
    public var topics: [String] {
        publications.flatMap { [$0.topic] + ($0.genesisTopic.map { [$0] } ?? []) }
            .reduce(into: []) { unique, topic in if !unique.contains(topic) { unique.append(topic) } }
    }

    func publication(topic: String, modelName: String) -> Publication? {
        publications.first { $0.topic == topic && $0.model.name == modelName }
    }

    /// Every model that is declared, as a record or as a part of an association.
    var models: [ModelDescription] {
        let all = publications.flatMap { publication in
            [publication.model] + publication.dependencies.flatMap { [$0.source, $0.target] }
                + publication.observations.flatMap { [$0.model, $0.association.source, $0.association.target] }
                + publication.plan(for: publication.model).relationships.map(\.association.target)
        }
        return all.reduce(into: []) { unique, model in if !unique.contains(model) { unique.append(model) } }
    }
}
