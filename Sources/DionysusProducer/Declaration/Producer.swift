public import Dionysus

/// What an application publishes.
///
///     struct BookingSync: Producer {
///         var namespaces: [Namespace] {
///             Namespace("v3", serializers: Serializers { RentalSerializer() }) {
///                 Topic("rentals", partitionKey: "account_id") {
///                     Publish(Rental.self)
///                         .observing(Account.self, .defaultCheckInTime, through: Account.rentals)
///                 }
///             }
///         }
///     }
public protocol Producer: Sendable {
    /// The namespace of topics.
    typealias Namespace = ProducerNamespace
    /// A topic.
    typealias Topic = ProducerTopic

    /// The namespaces, each a version of the application's interface.
    @ListBuilder<ProducerNamespace> var namespaces: [ProducerNamespace] { get }
}

/// Topics that share serializers; the name of each begins with the namespace's.
public struct ProducerNamespace: Sendable {
    let name: String
    let serializers: Serializers
    let topics: [ProducerTopic]

    /// Declares a namespace.
    /// - Parameters:
    ///   - name: Its name: `v3`.
    ///   - serializers: How its models become payloads. A model without a serializer is written as it encodes itself.
    ///   - topics: Its topics.
    public init(
        _ name: String,
        serializers: Serializers = Serializers {},
        @ListBuilder<ProducerTopic> topics: () -> [ProducerTopic]
    ) {
        self.name = name
        self.serializers = serializers
        self.topics = topics()
    }
}

/// A topic, and the models that are published to it.
public struct ProducerTopic: Sendable {
    let name: String
    let partitionKey: String?
    let genesisReplica: Bool
    let publications: [PublishedModel]
    var settings = TopicSettings()
    var genesisSettings = ProducerTopic.genesisDefaults

    /// Declares a topic.
    /// - Parameters:
    ///   - name: Its name without the namespace: `rentals`.
    ///   - partitionKey: The attribute by whose value messages are spread over partitions; messages with the same value
    ///     keep their order. By default the attribute that is configured for all topics. A model that lacks it is
    ///     spread by its message key.
    ///   - genesisReplica: Whether every message also goes to the genesis topic.
    ///   - publications: The models.
    public init(
        _ name: String,
        partitionKey: String? = nil,
        genesisReplica: Bool = false,
        @ListBuilder<PublishedModel> publications: () -> [PublishedModel]
    ) {
        self.name = name
        self.partitionKey = partitionKey
        self.genesisReplica = genesisReplica
        self.publications = publications()
    }
}

/// A model as a topic publishes it.
public struct PublishedModel: Sendable {
    let model: ModelDescription
    var dependencies: [AssociationDescription]
    var observations: [Observation]
    var partitionKey: String?
    var publishesAfterCommit: Bool?
}

/// A change elsewhere that publishes a model.
struct Observation: Sendable {
    let model: ModelDescription
    let columns: [String]
    let association: AssociationDescription
}

/// Declares that a topic publishes a model.
///
///     Publish(Booking.self, with: Booking.fees).partitioned(by: .rentalID)
public struct Publish<Record: Model>: ListElement {
    public var element: PublishedModel

    /// Declares the publication.
    /// - Parameters:
    ///   - model: The model.
    ///   - dependencies: What is published with it as one aggregate: sideloaded into its payload, and any change to
    ///     it publishes the model.
    public init<each Dependency: Association>(
        _ model: Record.Type,
        with dependencies: repeat each Dependency
    ) {
        var descriptions: [AssociationDescription] = []
        for dependency in repeat each dependencies { descriptions.append(dependency.description) }
        element = PublishedModel(
            model: ModelDescription(model),
            dependencies: descriptions,
            observations: [],
            partitionKey: nil
        )
    }

    /// Publishes records when attributes of another model, from which they are computed, change.
    /// - Parameters:
    ///   - observed: The other model.
    ///   - attributes: Its attributes.
    ///   - association: The way from the other model to this one.
    /// - Returns: The publication with the observation.
    public func observing<Observed: Model>(
        _ observed: Observed.Type,
        _ attributes: Observed.CodingKeys...,
        through association: some Association<Observed, Record>
    ) -> Publish {
        var copy = self
        copy.element.observations.append(
            Observation(
                model: ModelDescription(observed),
                columns: attributes.map(\.stringValue),
                association: association.description
            )
        )
        return copy
    }

    /// Spreads this model's messages by another attribute than the topic's.
    /// - Parameter attribute: The attribute.
    /// - Returns: The publication with the partition key.
    public func partitioned(by attribute: Record.CodingKeys) -> Publish {
        var copy = self
        copy.element.partitionKey = attribute.stringValue
        return copy
    }

    /// Says whether a committing process publishes this model's changes at once, whatever is set for all models.
    ///
    /// See ``CommitPublisher``.
    /// - Parameter isEnabled: Whether it does.
    /// - Returns: The publication with the choice.
    public func publishedAfterCommit(_ isEnabled: Bool = true) -> Publish {
        var copy = self
        copy.element.publishesAfterCommit = isEnabled
        return copy
    }
}
