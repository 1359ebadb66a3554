public import Dionysus
public import DionysusSchemas

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

    /// Code around the publishing of batches, the outermost first. None by default.
    var middleware: [any ProducerMiddleware] { get }

    /// What genesis runs can ask for by name in place of writing their records to the outbox. None by default.
    var genesisStreamers: [String: any GenesisStreamer] { get }

    /// Tables in the shape of Debezium's outbox whose rows are published as messages. None by default.
    ///
    /// Migrating installs a trigger on each, which hands its inserted rows to the relay.
    var debeziumOutboxes: [DebeziumOutbox] { get }
    /// How the changes of tables that can have no triggers are found. None by default.
    @ListBuilder<PolledModel> var polls: [PolledModel] { get }
}

extension Producer {
    public var middleware: [any ProducerMiddleware] { [] }
    public var genesisStreamers: [String: any GenesisStreamer] { [:] }
    public var debeziumOutboxes: [DebeziumOutbox] { [] }
    public var polls: [PolledModel] { [] }
}

/// Topics that share serializers; the name of each begins with the namespace's.
public struct ProducerNamespace: Sendable {
    package let name: String
    package let serializers: Serializers
    package let topics: [ProducerTopic]
    /// What is wrong with how it was put together, a line each.
    package var faults: [String] = []

    /// Declares a namespace.
    /// - Parameters:
    ///   - name: Its name: `v3`.
    ///   - serializers: How its models become payloads. Every model that is published or sideloaded has one; ``Whole``
    ///     is the one for a model without anything to hide.
    ///   - topics: The topics.
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
    package let name: String
    package let encoding: TopicEncoding
    package let partitionKey: PartitionKey
    package let genesisReplica: Bool
    package let publications: [PublishedModel]
    package internal(set) var settings = TopicSettings()
    package internal(set) var genesisSettings = ProducerTopic.genesisDefaults
    package internal(set) var wire: WireStyle?
    package internal(set) var isCompactedWhileWaiting = false

    /// Declares a topic.
    /// - Parameters:
    ///   - name: Its name without the namespace: `rentals`.
    ///   - encoding: How its messages are written, and those of its genesis topic.
    ///   - partitionKey: What messages are spread over partitions by: an attribute's name, or
    ///     ``PartitionKey/messageKey``. By default the attribute that is configured for all topics.
    ///   - genesisReplica: Whether every message also goes to the genesis topic.
    ///   - publications: The published models.
    public init(
        _ name: String,
        encoding: TopicEncoding = .envelope,
        partitionKey: PartitionKey = .default,
        genesisReplica: Bool = false,
        @ListBuilder<PublishedModel> publications: () -> [PublishedModel]
    ) {
        self.name = name
        self.encoding = encoding
        self.partitionKey = partitionKey
        self.genesisReplica = genesisReplica
        self.publications = publications()
    }
}

extension ProducerTopic {
    /// Declares a topic of messages that are no model's, for a ``MessagePublisher``.
    ///
    ///     Topic(messages: "announcements", encoding: .record(.avro(.named("feed.Announcement", in: "schemas"), key: .none)))
    /// - Parameters:
    ///   - name: Its name without the namespace: `announcements`.
    ///   - encoding: How its messages are written: `.record(…)`, whose deletions don't matter here.
    public init(messages name: String, encoding: TopicEncoding = .record(.json)) {
        self.init(name, encoding: encoding, partitionKey: .messageKey) {}
    }

    /// Sends only the last of those messages with one key that wait in the outbox and are read together.
    ///
    ///     Topic(messages: "prices").compactedWhileWaiting()
    ///
    /// Messages without a key are all sent. While a relay is up to date, every message is a batch of its own and is sent: this
    /// shortens what has piled up.
    public func compactedWhileWaiting() -> ProducerTopic {
        var copy = self
        copy.isCompactedWhileWaiting = true
        return copy
    }

    /// Declares a topic whose messages are spread over partitions by an attribute.
    ///
    ///     Topic("rentals", partitionKey: Rental.CodingKeys.accountID) { Publish(Rental.self) }
    /// - Parameters:
    ///   - name: Its name without the namespace: `rentals`.
    ///   - encoding: How its messages are written, and those of its genesis topic.
    ///   - attribute: The attribute; models without one of its name are spread by their message keys.
    ///   - genesisReplica: Whether every message also goes to the genesis topic.
    ///   - publications: The published models.
    public init(
        _ name: String,
        encoding: TopicEncoding = .envelope,
        partitionKey attribute: some CodingKey,
        genesisReplica: Bool = false,
        @ListBuilder<PublishedModel> publications: () -> [PublishedModel]
    ) {
        self.init(
            name,
            encoding: encoding,
            partitionKey: .attribute(attribute.stringValue),
            genesisReplica: genesisReplica,
            publications: publications
        )
    }

    /// Chooses how numbers, times and texts are written in the topic, and in its genesis topic.
    ///
    ///     Topic("bookings") { Publish(Booking.self) }.wire(.dionysusRb)
    /// - Parameter style: The style. That of ``ProducerSettings/wire`` by default.
    public func wire(_ style: WireStyle) -> ProducerTopic {
        var copy = self
        copy.wire = style
        return copy
    }
}

/// A model as a topic publishes it.
public struct PublishedModel: Sendable {
    package let model: ModelDescription
    package internal(set) var dependencies: [DependencyDescription]
    package internal(set) var observations: [Observation]
    /// Nil where the topic's applies.
    package internal(set) var partitionKey: PartitionKey?
    package internal(set) var publishesAfterCommit: Bool?
    /// If it is the model of events, the types that they have, for the contract.
    package var events: [PublishedEvent] = []
}

/// A type of events, as the contract names it.
package struct PublishedEvent: Sendable {
    let name: String
    let version: Int
    /// What its data are decoded as.
    let type: any (Decodable & SendableMetatype).Type

    package init(name: String, version: Int, type: any (Decodable & SendableMetatype).Type) {
        self.name = name
        self.version = version
        self.type = type
    }
}

extension PublishedModel {
    /// Describes the publication of a model that has no type.
    package init(
        _ model: ModelDescription,
        with dependencies: [DependencyDescription],
        observing observations: [Observation],
        partitionKey: PartitionKey?,
        publishesAfterCommit: Bool?
    ) {
        self.init(model: model, dependencies: dependencies, observations: observations)
        self.partitionKey = partitionKey
        self.publishesAfterCommit = publishesAfterCommit
    }
}

/// A change elsewhere that publishes a model.
package struct Observation: Sendable {
    package let model: ModelDescription
    package let columns: [String]
    package let association: AssociationDescription

    /// Describes it.
    package init(model: ModelDescription, columns: [String], association: AssociationDescription) {
        self.model = model
        self.columns = columns
        self.association = association
    }
}

/// Declares that a topic publishes a model.
///
///     Publish(Booking.self, with: Booking.fees.with(BookingsFee.taxes), Booking.guest)
///         .observing(Account.self, .currency, through: Account.rentals.then(Rental.bookings))
///         .partitioned(by: .rentalID)
public struct Publish<Record: Model>: ListElement {
    public var element: PublishedModel

    /// Declares the publication.
    /// - Parameters:
    ///   - model: The model.
    ///   - dependencies: What is published with it as one aggregate: sideloaded into its payload, and any change to
    ///     it publishes the model. `Booking.fees.with(BookingsFee.taxes)` sideloads the taxes into the fees.
    public init(_ model: Record.Type, with dependencies: any Dependency<Record>...) {
        element = PublishedModel(
            model: ModelDescription(model),
            dependencies: dependencies.flatMap(\.dependencies),
            observations: []
        )
    }

    /// Publishes records when attributes of another model, from which they are computed, change.
    /// - Parameters:
    ///   - observed: The other model.
    ///   - attributes: Its attributes.
    ///   - association: The way from the other model to this one.
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

    /// Chooses whether a committing process publishes this model's changes at once, in place of the setting for all models.
    ///
    /// See ``CommitPublisher``.
    public func publishedAfterCommit(_ isEnabled: Bool = true) -> Publish {
        var copy = self
        copy.element.publishesAfterCommit = isEnabled
        return copy
    }
}
