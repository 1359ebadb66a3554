public import Dionysus

import struct Foundation.UUID

/// Publishes tombstones: messages without a value, after which a compacted topic forgets a record.
///
///     let publisher = TombstonePublisher(registry, database: database, broker: broker)
///     try await publisher.publish(Rental.self, id: "42", topic: "v3_rentals")
///
/// A tombstone cleans the log and is not a record's end: that is its destroyed event, and consumers ignore tombstones
/// unless they choose otherwise.
public struct TombstonePublisher: Sendable {
    /// A tombstone that the broker has acknowledged.
    public struct Tombstone: Sendable, Hashable {
        /// Where it stands.
        public let partition: TopicPartition
        /// Its offset there.
        public let offset: Int64
    }

    private let registry: Registry
    private let database: any CapturingDatabase
    private let broker: any MessageBroker
    private let settings: ProducerSettings

    /// Creates a publisher.
    /// - Parameters:
    ///   - registry: What is published.
    ///   - database: The database whose records they are.
    ///   - broker: The broker to publish to.
    ///   - settings: The relay's settings.
    public init(
        _ registry: Registry,
        database: any CapturingDatabase,
        broker: any MessageBroker,
        settings: ProducerSettings = ProducerSettings()
    ) {
        self.registry = registry
        self.database = database
        self.broker = broker
        self.settings = settings
    }

    /// Publishes tombstones of a record and waits for their acknowledgement.
    /// - Parameters:
    ///   - model: The record's model.
    ///   - id: Its primary key.
    ///   - topic: The full name of the topic. Its genesis topic gets tombstones too.
    ///   - partitionKey: Leads to the one partition that gets a tombstone; nil sends one to every partition, because a
    ///     record whose partition key has changed has left messages elsewhere.
    ///   - key: The key of its messages, if it isn't the record's own; nil for `Model:ID`.
    ///   - force: Whether a record that is still there, or still has changes to be published, may be forgotten.
    /// - Returns: The tombstones, those of the topic before those of its genesis topic.
    /// - Throws: As ``publish(_:id:topic:partitionKey:key:force:)-(String,_,_,_,_,_)``.
    @discardableResult
    public func publish(
        _ model: any Model.Type,
        id: String,
        topic: String,
        partitionKey: String? = nil,
        key: String? = nil,
        force: Bool = false
    ) async throws -> [Tombstone] {
        try await publish(model.modelName, id: id, topic: topic, partitionKey: partitionKey, key: key, force: force)
    }

    /// Publishes tombstones of a record and waits for their acknowledgement.
    /// - Parameters:
    ///   - modelName: The name of the record's model.
    ///   - id: Its primary key.
    ///   - topic: The full name of the topic. Its genesis topic gets tombstones too.
    ///   - partitionKey: Leads to the one partition that gets a tombstone; nil sends one to every partition.
    ///   - customKey: The key of its messages, if it isn't the record's own; nil for `Model:ID`.
    ///   - force: Whether a record that is still there, or still has changes to be published, may be forgotten. Then
    ///     those who read the log from its beginning miss it until its next message.
    /// - Returns: The tombstones, those of the topic before those of its genesis topic.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound` for a topic or model that is not published there, `malformed` for an id
    ///   that no record can have, `conflict` for a record that is still there, `unknownTopic` if the broker doesn't have
    ///   the topic, and as sending and transactions do.
    @discardableResult
    public func publish(
        _ modelName: String,
        id: String,
        topic: String,
        partitionKey: String? = nil,
        key customKey: String? = nil,
        force: Bool = false
    ) async throws -> [Tombstone] {
        if let customKey { try Self.requireKey(customKey) }
        let publication = try registry.publishing(modelName, in: topic)
        let catalogue = try await Catalogue.read(for: registry, from: database)
        let key = try catalogue.recordKey(id, of: publication.model)
        let reference = RecordReference(topic: topic, modelName: modelName, id: key.canonical(id))
        // Before the record is looked up, so that every later change has a higher version.
        let (outbox, sourceID, version) = try await drawVersion()
        if !force { try await refuseIfAlive(reference, id, key, publication, catalogue, outbox) }
        var keys: [String: [UInt8]] = [:]
        if publication.encoding.format != nil, customKey == nil {
            keys = try await recordKeys(publication, reference.id, catalogue)
        }
        let messageKey = Array((customKey ?? reference.messageKey).utf8)
        let places = try await destinations(publication, partitionKey)
        return try await send({ keys[$0] ?? messageKey }, sourceID, version, to: places)
    }

    /// Publishes tombstones under a key that is no record's, such as the one that a responder gave its messages.
    ///
    ///     try await publisher.publish(key: "RecordsCollection:1", topic: "v3_rentals")
    ///
    /// A key that names a record of a model which the topic publishes is treated as that record.
    /// - Parameters:
    ///   - key: The messages' key.
    ///   - topic: The full name of the topic. Its genesis topic gets tombstones too.
    ///   - partitionKey: Leads to the one partition that gets a tombstone; nil sends one to every partition.
    ///   - force: As for a record's tombstones.
    /// - Returns: The tombstones, those of the topic before those of its genesis topic.
    /// - Throws: ``/Dionysus/DionysusError``: `malformed` for an empty key, and as for a record's tombstones.
    @discardableResult
    public func publish(
        key: String,
        topic: String,
        partitionKey: String? = nil,
        force: Bool = false
    ) async throws -> [Tombstone] {
        try Self.requireKey(key)
        if let model = registry.publications.first(where: { $0.topic == topic && key.hasPrefix($0.model.name + ":") }) {
            let id = String(key.dropFirst(model.model.name.count + 1))
            return try await publish(model.model.name, id: id, topic: topic, partitionKey: partitionKey, force: force)
        }
        guard let publication = registry.publications.first(where: { $0.topic == topic }) else {
            throw DionysusError(
                .notFound,
                "there is no declared topic \(topic)",
                advice: "`topics` shows those that are declared"
            )
        }
        let (_, sourceID, version) = try await drawVersion()
        let bytes = Array(key.utf8)
        return try await send({ _ in bytes }, sourceID, version, to: destinations(publication, partitionKey))
    }

    /// The keys of a record's messages in topics that have a format, by topic.
    private func recordKeys(
        _ publication: Registry.Publication,
        _ id: String,
        _ catalogue: Catalogue
    ) async throws -> [String: [UInt8]] {
        let plan = try LoadPlan(publication, catalogue)
        let groups = RecordGroup.all(of: publication)
        let plans = Dictionary(groups.map { ($0, plan) }, uniquingKeysWith: { first, _ in first })
        let encodings = try RecordEncodings(registry, plans: plans, registry: settings.schemaRegistry)
        var keys: [String: [UInt8]] = [:]
        for group in groups {
            guard let records = try await encodings[group]?.prepared() else { continue }
            guard let key = try plan.key(ofGone: id, records.key, KeptValues(), JSONTreeEncoder()) else {
                throw DionysusError(
                    .declaration,
                    "the messages of topic \(group.topic) have no keys by which the log could forget a record"
                )
            }
            keys[group.topic] = key
        }
        return keys
    }

    private func drawVersion() async throws -> (outbox: Outbox, sourceID: String, version: Int64) {
        try await database.transaction(.write) { [database] transaction in
            let outbox = try Outbox.open(of: database, in: &transaction)
            let results = try transaction.run([outbox.sourceID, outbox.support.drawVersion()])
            return (outbox, try results[0].first?.text(0) ?? "", try results[1].first?.integer(0) ?? 0)
        }
    }

    private static func requireKey(_ key: String) throws {
        guard key.isEmpty else { return }
        throw DionysusError(
            .malformed,
            "the key of a tombstone is empty",
            advice: "give the key of the messages to be forgotten"
        )
    }

    private func send(
        _ key: (_ topic: String) -> [UInt8],
        _ sourceID: String,
        _ version: Int64,
        to places: [Place]
    ) async throws -> [Tombstone] {
        let headers = [
            MessageHeader(HeaderName.eventID, Array("\(sourceID)-tombstone-\(UUID().uuidString.lowercased())".utf8)),
            MessageHeader(HeaderName.version, Array(String(version).utf8)),
        ]
        return try await send(
            places.map { place in
                OutgoingMessage(
                    topic: place.topic,
                    destination: place.destination,
                    key: key(place.topic),
                    value: nil,
                    headers: headers
                )
            }
        )
    }

    /// A record that is visible, or has rows that would be published behind the tombstone.
    private func refuseIfAlive(
        _ reference: RecordReference,
        _ id: String,
        _ key: RecordKey,
        _ publication: Registry.Publication,
        _ catalogue: Catalogue,
        _ outbox: Outbox
    ) async throws {
        let model = publication.model
        let softDelete = catalogue[model.table]?.column(model.softDeleteColumn)?.name
        let visible: SQL = softDelete.map { " AND \(identifier: $0) IS NULL" } ?? ""
        let isRecord = outbox.dialect.isAny("\(identifier: model.primaryKey)", of: key.candidates(id), type: key.type)
        let (exists, isPending) = try await database.transaction(.snapshot) { transaction in
            try transaction.run(outbox.support.seeingAllRows())
            let results = try transaction.run([
                "SELECT 1 FROM \(identifier: model.table) WHERE \(isRecord)\(visible)",
                outbox.unsettled(reference, as: key.spellings(id)),
            ])
            return (!results[0].isEmpty, !results[1].isEmpty)
        }
        if exists {
            throw DionysusError(
                .conflict,
                "\(reference.messageKey) is still there, and a tombstone would hide it from those who read the log anew",
                advice: "delete the record first, or force it"
            )
        }
        if isPending {
            throw DionysusError(
                .conflict,
                "\(reference.messageKey) has changes that are yet to be published to \(reference.topic)",
                advice: "let the relay publish them first, or force it"
            )
        }
    }

    private typealias Place = (topic: String, destination: OutgoingMessage.Destination)

    private func destinations(_ publication: Registry.Publication, _ partitionKey: String?) async throws -> [Place] {
        let topics = [publication.topic] + (publication.genesisTopic.map { [$0] } ?? [])
        let partitions = Dictionary(
            try await broker.describeTopics(topics).map { ($0.name, $0.partitions) },
            uniquingKeysWith: { first, _ in first }
        )
        return try topics.flatMap { topic -> [Place] in
            guard let count = partitions[topic] else {
                throw DionysusError(
                    .unknownTopic,
                    "the broker has no topic \(topic)",
                    advice: "there is nothing to be forgotten in it; topics --create creates it"
                )
            }
            if let partitionKey { return [(topic, .partitioned(by: Array(partitionKey.utf8)))] }
            return (0..<count).map { (topic, .partition($0)) }
        }
    }

    private func send(_ messages: [OutgoingMessage]) async throws -> [Tombstone] {
        let producer = try await broker.makeProducer(settings.producerOptions)
        let results = await producer.send(messages)
        await producer.close(deadline: settings.messageTimeout)
        return try zip(messages, results)
            .map { message, result in
                let acknowledgement = try result.get()
                return Tombstone(
                    partition: TopicPartition(message.topic, acknowledgement.partition),
                    offset: acknowledgement.offset
                )
            }
    }
}

extension Outbox {
    /// A row of a record that is yet to be published, if there is any.
    fileprivate func unsettled(_ record: RecordReference, as ids: [String]) -> SQL {
        let isRecord = dialect.isAny("o.resource_id", of: ids.map { .text($0) }, type: .text)
        return """
            SELECT o.id FROM \(tables.outbox) o
            WHERE o.published_at IS NULL AND \(Self.isNotParked)
              AND o.resource_class = \(record.modelName) AND \(isRecord) AND o.topic = \(record.topic)
            LIMIT 1
            """
    }
}
