public import Dionysus
import Logging

import struct Foundation.UUID

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
/// Nothing is published for a transaction that is still open: call it after the commit. What is not acknowledged is not
/// tried again; where that matters, let capture and the relay publish.
public struct Responder: Sendable {
    private let registry: Registry
    private let database: any CapturingDatabase
    private let producer: any MessageProducer
    private let loader: SnapshotLoader
    private let settings: ProducerSettings
    private let styles: WireStyles
    private let instrumentation: Instrumentation

    /// Creates a responder.
    /// - Parameters:
    ///   - registry: What is published.
    ///   - database: The database that records are loaded from, and that versions are drawn from.
    ///   - broker: Where to.
    ///   - settings: How.
    ///   - instrumentation: Whose event bus is told of each message that the broker has acknowledged.
    /// - Throws: ``DionysusError``: `declaration` when the declaration does not fit the database, `configuration` for
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
        self.instrumentation = instrumentation
        styles = try await WireStyles.read(registry, settings, from: database)
        loader = SnapshotLoader(
            database: database,
            plans: Dictionary(plans, uniquingKeysWith: { first, _ in first }),
            styles: styles
        )
        producer = try await broker.makeProducer(
            ProducerOptions(
                clientID: settings.clientID,
                partitioner: settings.partitioner,
                messageTimeout: settings.messageTimeout,
                settings: settings.brokerSettings
            )
        )
    }

    /// Publishes messages and waits until the broker has acknowledged them.
    ///
    /// The records of all messages are loaded in one snapshot, by a number of queries that doesn't grow with them. The
    /// version that the messages carry is drawn before.
    /// - Parameters:
    ///   - topic: The topic's full name. Its genesis topic gets the messages too, if it has one.
    ///   - messages: The messages; those with one partition key keep this order.
    /// - Throws: ``DionysusError``: `declaration` for a topic or a model in it that isn't declared, or a genesis topic
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
    /// - Throws: ``DionysusError``: `declaration` for a topic or a model in it that isn't declared, or a genesis topic
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
                let composition = Composition(
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

    /// Tells the event bus of what the broker has acknowledged.
    private func announce(
        _ messages: [AddressedMessage],
        _ results: [Result<Acknowledgement, DionysusError>]
    ) async {
        guard instrumentation.eventBus.isObserved(RespondEvent.self) else { return }
        let errorHandler = instrumentation.errorHandler(logger: Logger(label: "dionysus.responder"))
        for case (let sent, .success(let acknowledgement)) in zip(messages, results) {
            let event = RespondEvent(
                sent.message,
                events: sent.events,
                partitionKey: sent.partitionKey,
                acknowledgement
            )
            await instrumentation.publish(event, to: errorHandler)
        }
    }

    /// Waits for what is under way, then closes the connection to the broker.
    public func close() async { await producer.close(deadline: settings.messageTimeout) }

    private func genesisTopic(of topic: String, _ messages: [ResponderMessage]) throws -> String? {
        guard let publication = registry.publications.first(where: { $0.topic == topic }) else {
            throw DionysusError(
                .declaration,
                "topic \(topic) is not declared",
                advice: "these are: \(Set(registry.publications.map(\.topic)).sorted().joined(separator: ", "))"
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
                id: values[event.model.primaryKey].map(\.keyText) ?? "",
                record: record,
                values: values
            )
        }
    }
}

/// A record that an event is about.
struct RespondedRecord {
    let group: RecordGroup
    /// Its primary key, as the outbox would have it.
    let id: String
    let record: any Model
    let values: JSON.Object
}

/// A message with what the event bus is told of it.
private struct AddressedMessage: Sendable {
    var message: OutgoingMessage
    let partitionKey: String?
    let events: [RespondEvent.Event]
}

/// A message in the making.
private struct Composition {
    let message: ResponderMessage
    /// The records of each event; none for one that has payloads.
    let records: [[RespondedRecord]]
    let topic: String
    let loaded: [RecordGroup: LoadedRecords]
    let encoder: JSONTreeEncoder

    func addressed(_ registry: Registry, version: Int64) throws -> AddressedMessage {
        let key = Array(try self.key().utf8)
        let partitionKey = try message.partitionKey ?? defaultPartitionKey(registry)
        let outgoing = OutgoingMessage(
            topic: topic,
            destination: .partitioned(by: partitionKey.map { Array($0.utf8) } ?? key),
            key: key,
            value: encoder.finished(JSON.object(["message": .array(try events())]).bytes),
            headers: [
                MessageHeader(HeaderName.eventID, Array(UUID().uuidString.lowercased().utf8)),
                MessageHeader(HeaderName.version, Array(String(version).utf8)),
            ] + (TraceContext.current()?.headers ?? [])
        )
        return AddressedMessage(message: outgoing, partitionKey: partitionKey, events: announcements())
    }

    private func announcements() -> [RespondEvent.Event] {
        zip(message.events, records)
            .map { event, records in
                let ids =
                    switch event.content {
                    case .records: records.map(\.id)
                    case .payloads(let payloads):
                        payloads.compactMap { payload in payload[event.model.primaryKey].map(\.keyText) }
                    }
                return RespondEvent.Event(name: event.name, model: event.model.name, ids: ids)
            }
    }

    private func events() throws -> [JSON] {
        guard !message.events.isEmpty else {
            throw DionysusError(.declaration, "a message to topic \(topic) has no event")
        }
        return try zip(message.events, records)
            .map { event, records in
                let data =
                    switch event.content {
                    case .payloads(let payloads): payloads
                    case .records: try records.map(payload)
                    }
                return .object([
                    "event": .string(event.name), "model_name": .string(event.model.name), "data": .array(data),
                ])
            }
    }

    private func payload(of record: RespondedRecord) throws -> JSON {
        do {
            return try loaded[record.group]?.json(of: record.id, kept: KeptValues(record.values)) ?? .null
        } catch {
            let summary = (error as? DionysusError)?.description ?? "\(type(of: error))"
            throw DionysusError(
                .application,
                "\(record.group.modelName):\(record.id) can't be serialized for topic \(topic): \(summary)",
                underlying: error
            )
        }
    }

    /// The model and the values of the first event's first record.
    private var first: (model: ModelDescription, values: JSON.Object)? {
        guard let event = message.events.first else { return nil }
        if let record = records.first?.first { return (event.model, record.values) }
        guard case .payloads(let payloads) = event.content, case .object(let values)? = payloads.first else {
            return nil
        }
        return (event.model, values)
    }

    private func key() throws -> String {
        if let key = message.key { return key }
        guard let first, let id = first.values[first.model.primaryKey], id != .null else {
            throw DionysusError(
                .declaration,
                "a message to topic \(topic) begins with no record whose primary key could be its key",
                advice: "give it a key"
            )
        }
        return "\(first.model.name):\(id.keyText)"
    }

    private func defaultPartitionKey(_ registry: Registry) throws -> String? {
        guard let first, let publication = registry.publication(topic: topic, modelName: first.model.name) else {
            return nil
        }
        switch publication.partitionKey {
        case .messageKey: return nil
        case .column(let name):
            guard let value = first.values[name], value != .null else { return nil }
            return value.keyText
        case .computed(let key):
            guard let record = records.first?.first else { return nil }
            return try key.compute(try loaded[record.group]?.record(record.id) ?? record.record)
        }
    }
}

extension JSON {
    /// The text under which a key stands in the outbox and in message keys.
    fileprivate var keyText: String {
        if case .string(let text) = self { return text }
        return text
    }
}
