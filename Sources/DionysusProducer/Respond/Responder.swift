public import Dionysus
import DionysusSchemas
import Logging

/// Publishes messages directly, without the outbox: for bulk events and events of the application's own.
///
///     let responder = try await Responder(registry, database: database, broker: broker, settings: settings)
///     try await responder.respond(
///         in: "v3_rentals",
///         ResponderMessage([
///             ResponderEvent(.updated, rentals),
///             ResponderEvent(.destroyed, of: Rental.self, payloads: [["id": 2]]),
///         ])
///     )
///
/// Nothing is published for a transaction that is still open: call it after the commit. A message that is not
/// acknowledged is not sent again; where that matters, let capture and the relay publish.
public struct Responder: Sendable {
    private let registry: Registry
    private let database: any CapturingDatabase
    private let producer: any MessageProducer
    private let loader: SnapshotLoader
    private let settings: ProducerSettings
    private let styles: WireStyles
    private let announcer: EventAnnouncer

    /// Creates a responder.
    /// - Parameters:
    ///   - registry: What is published.
    ///   - database: The database that records are loaded from, and that versions are drawn from.
    ///   - broker: The broker to publish to.
    ///   - settings: The responder's settings.
    ///   - instrumentation: Its event bus announces each message that the broker has acknowledged.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` when the declaration does not fit the database, `configuration` for
    ///   settings that the broker's client does not take.
    public init(
        _ registry: Registry,
        database: any CapturingDatabase,
        broker: any MessageBroker,
        settings: ProducerSettings = ProducerSettings(),
        instrumentation: Instrumentation = Instrumentation()
    ) async throws {
        let catalogue = try await Catalogue.read(for: registry, from: database)
        try throwFaults(registry.faults(in: catalogue))
        let plans = try registry.publications.map { (RecordGroup($0), try LoadPlan($0, catalogue)) }
        self.registry = registry
        self.database = database
        self.settings = settings
        announcer = EventAnnouncer(instrumentation, logger: Logger(label: "dionysus.responder"))
        styles = try await WireStyles.read(registry, settings, from: database)
        loader = SnapshotLoader(
            database: database,
            plans: Dictionary(plans, uniquingKeysWith: { first, _ in first }),
            styles: styles
        )
        producer = try await broker.makeProducer(settings.producerOptions)
    }

    /// Publishes messages and waits until the broker has acknowledged them.
    ///
    /// The records of all messages are loaded in one snapshot, by a number of queries that doesn't grow with them. The
    /// version that the messages carry is drawn before.
    /// - Parameters:
    ///   - topic: The topic's full name. Its genesis topic gets the messages too, if it has one.
    ///   - messages: The messages; those with one partition key keep this order.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` for a topic or a model in it that isn't declared, or a genesis topic
    ///   that there isn't; `application` when a record can't be serialized; and the first failure to send, after all
    ///   messages have been tried.
    public func respond(in topic: String, _ messages: ResponderMessage...) async throws {
        try await respond(in: topic, messages)
    }

    /// Publishes messages and waits until the broker has acknowledged them.
    ///
    /// The records of all messages are loaded in one snapshot, by a number of queries that doesn't grow with them. The
    /// version that the messages carry is drawn before.
    /// - Parameters:
    ///   - topic: The topic's full name. Its genesis topic gets the messages too, if it has one.
    ///   - messages: The messages; those with one partition key keep this order.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` for a topic or a model in it that isn't declared, or a genesis topic
    ///   that there isn't; `application` when a record can't be serialized; and the first failure to send, after all
    ///   messages have been tried.
    public func respond(in topic: String, _ messages: [ResponderMessage]) async throws {
        let genesisTopic = try genesisTopic(of: topic, messages)
        let records = try messages.map { try $0.events.map { try identified($0, in: topic) } }
        let version = try await drawVersion()
        let groups = Dictionary(grouping: records.flatMap { $0.flatMap { $0 } }, by: { $0.group })
        let loaded = try await loader.load(groups.mapValues { $0.map(\.id) })
        let outgoing = try zip(messages, records)
            .flatMap { message, records -> [AddressedMessage] in
                let composition = ResponseComposition(
                    message: message,
                    records: records,
                    topic: topic,
                    loaded: loaded,
                    encoder: styles.encoder(ofTopic: topic)
                )
                let sent = try composition.addressed(registry, version: version)
                let targets = message.genesisOnly ? [] : [topic]
                return (targets + (genesisTopic.map { [$0] } ?? []))
                    .map { target in
                        var copy = sent
                        copy.message.topic = target
                        return copy
                    }
            }
        let results = await producer.send(outgoing.map(\.message))
        await announce(outgoing, results)
        for result in results { _ = try result.get() }
    }

    /// Announces the messages that the broker has acknowledged.
    private func announce(_ messages: [AddressedMessage], _ results: [SendResult]) async {
        guard announcer.isObserved(RespondEvent.self) else { return }
        for case (let sent, .success(let acknowledgement)) in zip(messages, results) {
            await announcer.announce(
                RespondEvent(
                    sent.message,
                    events: sent.events,
                    partitionKey: sent.partitionKey,
                    acknowledgement
                )
            )
        }
    }

    /// Waits for messages that are being sent, then closes the connection to the broker.
    public func close() async { await producer.close(deadline: settings.messageTimeout) }

    private func genesisTopic(of topic: String, _ messages: [ResponderMessage]) throws -> String? {
        guard let publication = registry.publications.first(where: { $0.topic == topic }) else {
            throw DionysusError(
                .declaration,
                "topic \(topic) is not declared",
                advice: "these are: \(Set(registry.publications.map(\.topic)).sorted().joined(separator: ", "))"
            )
        }
        guard publication.encoding.format == nil else {
            let content = publication.encoding.holdsEnvelopes ? "envelopes in a format of its own" : "records"
            throw DionysusError(
                .declaration,
                "topic \(topic) holds \(content), and a responder's messages are events in JSON",
                advice: "let the outbox publish its records, or respond in a topic with the encoding .envelope"
            )
        }
        if publication.genesisTopic == nil, messages.contains(where: \.genesisOnly) {
            throw DionysusError(
                .declaration,
                "topic \(topic) has no genesis topic that a message could go to alone",
                advice: "declare it with genesisReplica: true"
            )
        }
        return publication.genesisTopic
    }

    private func drawVersion() async throws -> Int64 {
        try await database.transaction(.write) { [database] transaction in
            try transaction.run(database.outbox.drawVersion()).first?.integer(0) ?? 0
        }
    }

    private func identified(_ event: ResponderEvent, in topic: String) throws -> [RespondedRecord] {
        guard case .records(let records) = event.content else { return [] }
        guard registry.publishes(event.model.name, in: topic) else {
            throw DionysusError(
                .declaration,
                "topic \(topic) does not publish \(event.model)",
                advice: "publish it there, or give payloads instead of records"
            )
        }
        let encoder = styles.encoder(ofTopic: topic)
        return try records.map { record in
            let values = try encoder.encodeObject(record)
            let group = RecordGroup(topic: topic, modelName: event.model.name)
            return RespondedRecord(
                group: group,
                id: values[event.model.primaryKey].map(\.anyKeyText) ?? "",
                record: record,
                values: values
            )
        }
    }
}
