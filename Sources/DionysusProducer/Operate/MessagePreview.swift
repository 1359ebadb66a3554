package import Dionysus

/// The message that would be published of a record now.
///
///     let preview = try await MessagePreview.of("Rental", id: "42", in: "v3_rentals", registry, database: database)
///
/// It is loaded and composed as the relay does it, and nothing is written or sent.
package struct MessagePreview: Sendable, Hashable {
    /// A header; the value of one that only publication decides, such as an id, is nil.
    package struct Header: Sendable, Hashable {
        /// The header's name.
        package let name: String
        /// Its value, or nil.
        package let value: String?
    }

    /// The topics that the message goes to: the one that was asked for, and its genesis topic.
    package let topics: [String]
    /// The message key.
    package let key: String
    /// What the message is spread over partitions by; nil where the message key does that.
    package let partitionKey: String?
    /// The headers, in their order; the attributes of a CloudEvent are among them, in either mode.
    package let headers: [Header]
    /// The value, as it would be sent; of a record in a binary format, as JSON.
    package let value: [UInt8]

    /// Loads a record and composes its message: that of an update, or of its end if the record is soft-deleted.
    /// - Parameters:
    ///   - modelName: The name of the record's model.
    ///   - id: Its primary key.
    ///   - database: The database that has the record.
    ///   - settings: How it is published.
    /// - Returns: The preview, or nil if there is no such record: what is gone has no state to be published.
    /// - Throws: ``DionysusError``: `notFound` for a topic that isn't declared or a model that it doesn't publish,
    ///   `malformed` for an id that no record can have, `declaration` when the declaration does not fit the database,
    ///   `application` when the record can't be serialized, and as transactions.
    package static func of(
        _ modelName: String,
        id: String,
        in topic: String,
        _ registry: Registry,
        database: any CapturingDatabase,
        settings: ProducerSettings = ProducerSettings()
    ) async throws -> MessagePreview? {
        let publication = try registry.publishing(modelName, in: topic)
        try throwFaults(publication.unserialized.map { "topic \(publication.topic), model \(modelName)\($0)" })
        let catalogue = try await Catalogue.read(for: registry, from: database)
        let model = publication.model
        let key = try catalogue.recordKey(id, of: model)
        let table = catalogue[model.table]
        let columnValue = publication.partitionKey.column(in: table)
            .map { database.dialect.asText("t.\(identifier: $0)") }
        let isRecord = database.dialect.isAnyKey(
            "t.\(identifier: model.primaryKey)",
            of: key.candidates(id),
            type: key.type
        )
        let found = try await database.transaction(.snapshot) { [database] transaction in
            try transaction.run(database.outbox.seeingAllRows())
            return try transaction.run(
                "SELECT \(columnValue ?? "NULL") FROM \(identifier: model.table) t WHERE \(isRecord)"
            )
        }
        guard let record = found.first else { return nil }
        let row = OutboxRow(
            updating: key.canonical(id),
            of: model,
            in: topic,
            partitionKey: try record.text(0) ?? publication.partitionKey.constant(forTopic: publication.topic)
        )
        let group = RecordGroup(row)
        let plan = try LoadPlan(publication, catalogue)
        let prepared = try await RecordEncodings(
            registry,
            plans: [group: plan],
            registry: settings.schemaRegistry
        )[group]?
        .prepared()
        let records = try await SnapshotLoader(
            database: database,
            plans: [group: plan],
            styles: try await WireStyles.read(registry, settings, from: database)
        )
        .load([group: [row.resourceID]])
        var held = Composer.Held()
        var instructions = Composer.Instructions(version: 0)
        instructions.keepsAttributesApart = true
        instructions.records = prepared.map { [group: .success($0)] } ?? [:]
        let (messages, verdicts) = Composer(sourceID: "", registry: registry, onFailure: settings.onFailure)
            .compose([row], LoadedBatch(records: records), instructions, &held)
        if case .failed(let error)? = verdicts.first { throw error }
        let topics = [publication.topic, publication.genesisTopic].compactMap(\.self)
        guard let prepared else { return messages.first.map { MessagePreview($0, topics: messages.map(\.topic)) } }
        return try messages.first.map {
            try MessagePreview($0, topics: topics.contains(topic) ? topics : [topic], prepared)
        }
    }

    private static let decidedLater: Set<String> = [
        HeaderName.eventID, HeaderName.version, CloudEvent.headerPrefix + "id", CloudEvent.headerPrefix + "time",
        CloudEvent.headerPrefix + CloudEvent.version,
    ]

    /// A message with a record: key and value as people read them.
    private init(_ message: OutgoingMessage, topics: [String], _ records: PreparedRecords) throws {
        var readable = message
        readable.key = Array(try records.readable(key: message.key).utf8)
        readable.value = try message.value.map(records.readable) ?? Array("null".utf8)
        self.init(readable, topics: topics, key: message.key)
    }

    private init(_ message: OutgoingMessage, topics: [String]) {
        self.init(message, topics: topics, key: message.key)
    }

    /// - Parameter sentKey: The key as it is sent.
    private init(_ message: OutgoingMessage, topics: [String], key sentKey: [UInt8]?) {
        self.topics = topics
        key = String(decoding: message.key ?? [], as: UTF8.self)
        partitionKey = message.destination.partitionKey(otherThan: sentKey)
        headers = message.headers.map { header in
            let isDecidedLater = Self.decidedLater.contains(header.name)
            return Header(
                name: header.name,
                value: isDecidedLater ? nil : String(decoding: header.value, as: UTF8.self)
            )
        }
        value = message.value ?? []
    }
}

extension OutgoingMessage.Destination {
    fileprivate func partitionKey(otherThan key: [UInt8]?) -> String? {
        guard case .partitioned(let bytes) = self, bytes != key else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
