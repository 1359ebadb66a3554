public import Dionysus
public import DionysusConsumer
public import DionysusProducer

/// What a console shows: a producer with its database, a consumer with its replica, and the broker; each if it can be
/// reached from here.
///
///     var system = ObservedSystem(name: "bookings")
///     system.producer = .init(BookingSync(), database: source)
///     system.consumer = .init(RentalMirror(), database: replica)
///     system.broker = broker
public struct ObservedSystem: Sendable {
    /// What publishes.
    public struct ProducerSide: Sendable {
        let registry: Registry
        let database: any CapturingDatabase
        let settings: ProducerSettings
        let topics: [TopicSpecification]

        /// Names a producer.
        /// - Parameters:
        ///   - producer: The declaration.
        ///   - database: The database whose changes it publishes.
        ///   - settings: The settings that it runs with.
        public init(
            _ producer: some Producer,
            database: any CapturingDatabase,
            settings: ProducerSettings = ProducerSettings()
        ) {
            registry = Registry(producer, settings: settings)
            topics = (try? producer.publishedTopics(settings).map(\.specification)) ?? []
            self.database = database
            self.settings = settings
        }
    }

    /// What consumes.
    public struct ConsumerSide: Sendable {
        let consumer: any Consumer
        let database: any Database
        let settings: ConsumerSettings
        let outline: ConsumerOutline

        /// Names a consumer.
        /// - Parameters:
        ///   - consumer: The declaration.
        ///   - database: The replica's database.
        ///   - settings: The settings that it runs with.
        public init(
            _ consumer: some Consumer,
            database: any Database,
            settings: ConsumerSettings = ConsumerSettings()
        ) {
            self.consumer = consumer
            self.database = database
            self.settings = settings
            outline = ConsumerOutline(consumer, settings: settings)
        }
    }

    /// A setting, for people to read.
    package struct Setting: Sendable, Hashable {
        /// Its name.
        package let name: String
        /// Its value, without secrets.
        package let value: String
        /// Where it came from.
        package let source: String
        /// What it means.
        package let summary: String

        /// Creates a setting.
        package init(name: String, value: String, source: String, summary: String) {
            self.name = name
            self.value = value
            self.source = source
            self.summary = summary
        }
    }

    /// The application's name.
    public var name: String
    /// The application's version.
    public var version: String
    /// What publishes, if it can be reached from here.
    public var producer: ProducerSide?
    /// What consumes, if it can be reached from here.
    public var consumer: ConsumerSide?
    /// The broker, if it can be reached from here.
    public var broker: (any MessageBroker)?
    /// The settings, without secrets.
    package var settings: [Setting] = []
    /// Where events and errors of retries are reported.
    public var instrumentation = Instrumentation()

    /// Creates a system without sides.
    public init(name: String, version: String = "") {
        self.name = name
        self.version = version
    }
}

extension ObservedSystem {
    /// The models that are published on their own, and their topics.
    var publications: [(topic: String, model: PublishedModelOutline)] {
        producer?.registry.outline.flatMap { topic in topic.models.map { (topic.name, $0) } } ?? []
    }

    /// All models that can be looked up, in alphabetical order.
    var models: [String] {
        func parts(_ part: PublishedModelOutline.Part) -> [String] { [part.model] + part.parts.flatMap(parts) }
        let published = publications.flatMap { publication in
            [publication.model.model] + publication.model.parts.flatMap(parts)
                + publication.model.observations.map(\.model)
        }
        return Set(published + (consumer?.outline.replicas.map(\.model) ?? [])).sorted()
    }

    /// All topics that are declared, in alphabetical order.
    var topics: [String] {
        let published = producer?.registry.outline.flatMap { [$0.name] + ($0.genesisTopic.map { [$0] } ?? []) } ?? []
        let consumed = consumer?.outline.topics.filter { !$0.isPattern }
            .flatMap { [$0.name] + ($0.deadLetters.map { [$0] } ?? []) }
        return Set(published + (consumed ?? [])).sorted()
    }

    /// The settings by which messages are read, also where there is no consumer.
    var readerSettings: ConsumerSettings {
        if let consumer { return consumer.settings }
        var settings = ConsumerSettings()
        if let producer { settings.clientID = producer.settings.clientID }
        return settings
    }

    /// The table that keeps a model which no replica is declared for.
    func conventionalTable(of model: String) -> String? {
        guard let inflection = consumer?.settings.inflection else { return nil }
        return inflection.plural(of: inflection.underscored(model))
    }

    /// Where its parts are, in a line.
    var location: String {
        [
            producer.map { "source: \($0.database.dialect.name) \($0.database.location)" },
            broker.map { "broker: \($0.location)" },
            consumer.map { "replica: \($0.database.dialect.name) \($0.database.location)" },
        ]
        .compactMap(\.self).joined(separator: " · ")
    }
}
