import Dionysus
package import DionysusSchemas

/// What is published where: a producer's declaration, looked up.
public struct Registry: Sendable {
    /// A model in a topic.
    struct Publication: Sendable {
        let topic: String
        /// The name of the topic's namespace.
        let namespace: String
        let genesisTopic: String?
        let model: ModelDescription
        let partitionKey: PublicationPartitionKey
        /// What is published with the model, as a tree.
        let aggregate: [DependencyDescription]
        let observations: [Observation]
        let serializers: Serializers
        let publishesAfterCommit: Bool
        /// How its payloads are written; nil as for all topics.
        let wire: WireStyle?
        let encoding: TopicEncoding
        let events: [PublishedEvent]
        /// How its messages are CloudEvents; nil if they aren't.
        let cloudEvents: CloudEventStyle?
        /// What its SQL attributes read; nothing until the database has been asked.
        fileprivate(set) var sqlReads = SQLReads()

        /// The topic of what replicas are compared with.
        var verificationTopic: String { VerificationMarker.topic(of: topic) }

        /// Where a message goes besides a topic: what is published to the topic itself goes to its genesis topic, too.
        func copyTopic(of topic: String) -> String? { topic == self.topic ? genesisTopic : nil }

        /// The ways from the model to everything that is published with it.
        var dependencies: [AssociationDescription] { aggregate.flatMap(\.paths).withoutRepetitions }

        /// How a model is written; one without a serializer is a fault of the declaration, and is never published.
        func plan(for model: ModelDescription) -> SerializerPlan {
            serializers.plan(of: model) ?? SerializerPlan(encoding: model)
        }
    }

    private(set) var publications: [Publication]
    /// The places of publications by topic, genesis topics among them, and by the model's name.
    private let places: [String: [String: Int]]
    /// How the messages of each topic are written, of topics without models too.
    let encodings: [String: TopicEncoding]
    /// How the messages of topics are CloudEvents, of those where they are.
    let cloudEvents: [String: CloudEventStyle]
    /// The topics of plain messages of which only the last of a key is sent, of those that wait together.
    let compactedTopics: Set<String>
    /// What the topics that are written to are created with.
    let specifications: [TopicSpecification]
    let middleware: [any ProducerMiddleware]
    let genesisStreamers: [String: any GenesisStreamer]
    /// The tables whose rows are messages.
    let messageTables: [MessageTableCapture]
    /// How the changes of tables without triggers are found.
    let polls: [PolledModel]
    /// What is wrong with the declaration itself, a line each.
    package private(set) var faults: [String]
    let capture: CaptureMode
    let recordsChanges: Bool
    let changesetKeys: [ChangesetKey]
    private let softDeleteColumn: String
    let captureSuppressionRole: String?
    /// The application to which the outbox belongs, if it has a name.
    let application: String?
    /// The schema registry, if there is one.
    let schemaRegistry: SchemaRegistryClient?

    /// Reads a declaration.
    /// - Parameters:
    ///   - producer: The declaration.
    ///   - settings: The settings, for the default partition key.
    public init(_ producer: some Producer, settings: ProducerSettings = ProducerSettings()) {
        middleware = producer.middleware
        genesisStreamers = producer.genesisStreamers
        let outboxes = producer.debeziumOutboxes
        messageTables = outboxes.map {
            $0.capture(resourceClass: StoredMessage.className, eventName: StoredMessage.event.description)
        }
        capture = settings.capture
        recordsChanges = settings.recordsChanges
        changesetKeys = settings.changesetKeys
        let softDeleteColumn = settings.softDeleteColumn
        self.softDeleteColumn = softDeleteColumn
        polls = producer.polls.map { poll in
            var poll = poll
            poll.model = poll.model.softDeleted(by: softDeleteColumn)
            return poll
        }
        captureSuppressionRole = settings.captureSuppressionRole
        application = settings.application
        schemaRegistry = settings.schemaRegistry
        let namespaces = producer.namespaces
        let prefix = settings.topicPrefix
        let service = settings.application ?? settings.publisherServiceName ?? settings.clientID
        publications = namespaces.flatMap { namespace in
            namespace.topics.flatMap { topic in
                let name = topic.fullName(in: namespace, prefix: prefix)
                let style = topic.cloudEvents(in: namespace, of: service)
                return topic.publications.map { published in
                    Publication(
                        topic: name,
                        namespace: namespace.name,
                        genesisTopic: topic.genesisReplica ? name + "_genesis" : nil,
                        model: published.model.softDeleted(by: softDeleteColumn),
                        partitionKey: PublicationPartitionKey(
                            published.partitionKey ?? topic.partitionKey,
                            default: settings.partitionKeyOfTopics,
                            of: published.model
                        ),
                        aggregate: published.dependencies,
                        observations: published.observations,
                        serializers: namespace.serializers,
                        publishesAfterCommit: published.publishesAfterCommit ?? settings.publishesAfterCommit,
                        wire: topic.wire,
                        encoding: topic.encoding,
                        events: published.events,
                        cloudEvents: style
                    )
                }
            }
        }
        places = Self.places(of: publications)
        encodings = Dictionary(
            namespaces.flatMap { namespace in
                namespace.topics.map { ($0.fullName(in: namespace, prefix: prefix), $0.encoding) }
            },
            uniquingKeysWith: { first, _ in first }
        )
        cloudEvents = namespaces.reduce(into: [:]) { styles, namespace in
            for topic in namespace.topics {
                styles[topic.fullName(in: namespace, prefix: prefix)] = topic.cloudEvents(in: namespace, of: service)
            }
        }
        faults = TopicFaults.all(in: namespaces, prefix: prefix) + DebeziumOutbox.faults(outboxes)
        compactedTopics = Set(
            namespaces.flatMap { namespace in
                namespace.topics.filter(\.isCompactedWhileWaiting).map { $0.fullName(in: namespace, prefix: prefix) }
            }
        )
        specifications = namespaces.flatMap { namespace in
            namespace.topics.flatMap { topic in
                topic.published(as: topic.fullName(in: namespace, prefix: prefix), defaults: settings.topics)
                    .map(\.specification)
            }
        }
    }

    /// Every row of the outbox is looked up, however many models there are.
    private static func places(of publications: [Publication]) -> [String: [String: Int]] {
        var places: [String: [String: Int]] = [:]
        for (place, publication) in publications.enumerated() {
            for topic in publication.allTopics
            where places[topic]?[publication.model.name] == nil {
                places[topic, default: [:]][publication.model.name] = place
            }
        }
        return places
    }

    /// The declaration with what its SQL attributes read.
    func deriving(_ reads: [SQLReads], faults found: [String]) -> Registry {
        var copy = self
        for (index, reads) in zip(copy.publications.indices, reads) { copy.publications[index].sqlReads = reads }
        copy.faults += found
        return copy
    }

    /// A model as it is published: with the soft-delete column that is set for all.
    func published(_ model: ModelDescription) -> ModelDescription { model.softDeleted(by: softDeleteColumn) }

    /// The topics that publish a model.
    /// - Parameter modelName: The model's name.
    /// - Returns: Their full names.
    package func topics(publishing modelName: String) -> [String] {
        publications.filter { $0.model.name == modelName }.map(\.topic).withoutRepetitions
    }

    /// Whether a topic publishes a model for its own sake, and not only as a dependency.
    public func publishes(_ modelName: String, in topic: String) -> Bool {
        publication(topic: topic, modelName: modelName) != nil
    }

    /// The models of which a model is a dependency.
    /// - Parameters:
    ///   - modelName: The name of the model.
    ///   - topic: The topic's full name, or nil for all topics.
    /// - Returns: The names of the models it is published with, directly or as a dependency of a dependency.
    public func parents(ofDependency modelName: String, in topic: String? = nil) -> [String] {
        publications
            .filter { topic == nil || $0.topic == topic }
            .filter { $0.dependencies.contains { $0.target.name == modelName } }
            .map(\.model.name)
            .withoutRepetitions
    }

    /// Topics, their models, and what each is published with: dependencies of dependencies, too.
    package var dependencies: [String: [String: [String]]] {
        publications.reduce(into: [:]) { result, publication in
            let names = publication.dependencies.map(\.target.name).withoutRepetitions
            result[publication.topic, default: [:]][publication.model.name] = names
        }
    }

    /// All topics that are written to, the genesis topics among them.
    package var topics: [String] {
        publications.flatMap { [$0.topic] + ($0.genesisTopic.map { [$0] } ?? []) }
            .reduce(into: []) { unique, topic in if !unique.contains(topic) { unique.append(topic) } }
    }

    /// How the messages of a topic are written; nil for one that isn't declared.
    package func encoding(ofTopic name: String) -> TopicEncoding? {
        encodings[name] ?? publications.first { $0.genesisTopic == name }?.encoding
    }

    /// A model in a topic, or in the genesis topic of one.
    func publication(topic: String, modelName: String) -> Publication? {
        places[topic]?[modelName].map { publications[$0] }
    }

    /// The groups whose messages can't be written without those of a group: its own, and if that is a genesis topic's, the
    /// topic's whose messages go there too.
    func groups(writtenWith group: RecordGroup) -> [RecordGroup] {
        let topic = publications.first { $0.genesisTopic == group.topic && $0.model.name == group.modelName }?.topic
        return [group] + (topic.map { [RecordGroup(topic: $0, modelName: group.modelName)] } ?? [])
    }

    /// Every model that is declared, as a record or as a part of an association.
    var models: [ModelDescription] {
        publications.flatMap { publication in
            [publication.model] + publication.dependencies.flatMap { [$0.source, $0.target] }
                + publication.observations.flatMap { [$0.model, $0.association.source, $0.association.target] }
                + publication.serialized.flatMap { model in
                    let plan = publication.plan(for: model)
                    return (plan.allRelationships.flatMap(\.branches) + plan.allLoads).map(\.target)
                }
        }
        .withoutRepetitions
    }
}

extension Registry.Publication {
    /// The models whose payloads are written: the published one, and those of its parts.
    var serialized: [ModelDescription] { ([model] + dependencies.map(\.target)).withoutRepetitions }
}

extension Registry.Publication {
    /// The topics that its messages are written to, that of verification runs among them.
    var allTopics: [String] { [topic, genesisTopic, verificationTopic].compactMap(\.self) }
}

extension ProducerTopic {
    /// How the topic's messages are CloudEvents; nil if they aren't.
    fileprivate func cloudEvents(in namespace: ProducerNamespace, of service: String) -> CloudEventStyle? {
        CloudEventStyle(encoding, service: service, namespace: namespace.name, topic: name)
    }
}

extension RecordGroup {
    init(_ publication: Registry.Publication) {
        self.init(topic: publication.topic, modelName: publication.model.name)
    }

    /// The groups of a publication: in its topic, and in its genesis topic alone.
    static func all(of publication: Registry.Publication) -> [RecordGroup] {
        ([publication.topic] + (publication.genesisTopic.map { [$0] } ?? []))
            .map { RecordGroup(topic: $0, modelName: publication.model.name) }
    }
}
