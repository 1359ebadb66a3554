public import Dionysus
import DionysusSchemas
import Synchronization

import struct Foundation.UUID

/// A message that is no model's.
public struct PlainMessage: Sendable {
    /// What it holds; nil for a message without a value.
    public var value: JSON?
    /// The key; nil where the encoding has none, or takes it from the value.
    public var key: JSON?
    /// What the message is spread over partitions by; nil where the key does that.
    ///
    /// Messages with one partition key, or else with one key, are sent in their order.
    public var partitionKey: String?
    /// Headers of the application's.
    public var headers: [MessageHeader]
    /// What happened, in which the type of a CloudEvent ends: `announcement_made`.
    ///
    /// Default nil: the type ends in the topic's name.
    public var event: String?

    /// Creates a message.
    /// - Parameters:
    ///   - value: What it holds, as JSON.
    ///   - key: The key.
    ///   - partitionKey: What it is spread over partitions by.
    ///   - headers: Headers of the application's.
    public init(
        _ value: JSON?,
        key: JSON? = nil,
        partitionKey: String? = nil,
        headers: [MessageHeader] = []
    ) {
        self.value = value
        self.key = key
        self.partitionKey = partitionKey
        self.headers = headers
    }

    /// Creates a message.
    /// - Parameters:
    ///   - value: What it holds.
    ///   - key: The key.
    ///   - partitionKey: What it is spread over partitions by.
    ///   - headers: Headers of the application's.
    /// - Throws: ``Dionysus/DionysusError`` with code `malformed` for a value that can't be encoded.
    public init(
        encoding value: some Encodable,
        key: JSON? = nil,
        partitionKey: String? = nil,
        headers: [MessageHeader] = []
    ) throws {
        do {
            self.init(
                try JSONTreeEncoder().encode(record: value),
                key: key,
                partitionKey: partitionKey,
                headers: headers
            )
        } catch is EncodingError {
            // The error may quote the value.
            throw DionysusError(.malformed, "a message of type \(type(of: value)) can't be encoded")
        }
    }
}

/// Publishes messages that are no model's, through the outbox: in the transaction that they belong to.
///
///     let announcements = try await MessagePublisher(registry, topic: "feed_announcements", database: database)
///     try await database.transaction(.write) { transaction in
///         try transaction.run("INSERT INTO announcements (text) VALUES (\(text))")
///         try announcements.publish(PlainMessage(["text": .string(text)]), in: &transaction)
///     }
///
/// A message that is rolled back with its transaction is never sent. Relays send the others as they send records: in the same
/// lanes, in the order of their keys, and again until the broker has acknowledged them.
public final class MessagePublisher: Sendable {
    private let topic: String
    private let database: any CapturingDatabase
    private let encoding: MessageEncoding
    private let isRecording: Bool
    private let style: CloudEventStyle?
    private let outbox = Mutex<(table: TableDescription, wakeUp: SQL?)?>(nil)

    /// Creates a publisher, and asks the schema registry for what its messages are written with.
    /// - Parameters:
    ///   - registry: The declaration that has the topic.
    ///   - topic: The topic's full name.
    ///   - database: The database with the outbox.
    ///   - settings: The settings, for the schema registry.
    /// - Throws: ``Dionysus/DionysusError``: `declaration` for a topic that isn't declared or whose encoding names no schema,
    ///   and as the registry's client does.
    public init(
        _ registry: Registry,
        topic: String,
        database: any CapturingDatabase,
        settings: ProducerSettings = ProducerSettings()
    ) async throws {
        guard let encoding = registry.encodings[topic] else {
            throw DionysusError(
                .declaration,
                "topic \(topic) is not declared",
                advice: "these are: \(registry.encodings.keys.sorted().joined(separator: ", "))"
            )
        }
        self.topic = topic
        self.database = database
        isRecording = settings.recordsChanges
        style = registry.cloudEvents[topic]
        self.encoding = try await MessageEncoding(
            encoding,
            topic: topic,
            registry: settings.schemaRegistry ?? registry.schemaRegistry
        )
    }

    /// Publishes a message once the transaction is committed.
    /// - Parameters:
    ///   - message: The message.
    ///   - transaction: The transaction that it belongs to.
    /// - Throws: ``Dionysus/DionysusError``: `malformed` with the path of the field for a message that doesn't fit its schema,
    ///   or that lacks its key; `declaration` when nothing has been migrated; as ``Dionysus/Transaction/run(_:)``.
    public func publish(_ message: PlainMessage, in transaction: inout Transaction) throws {
        try publish(contentsOf: [message], in: &transaction)
    }

    /// Publishes messages once the transaction is committed.
    /// - Parameters:
    ///   - messages: The messages, in their order.
    ///   - transaction: The transaction that they belong to.
    /// - Throws: As ``publish(_:in:)``; then none of them is published.
    public func publish(contentsOf messages: some Sequence<PlainMessage>, in transaction: inout Transaction) throws {
        guard isRecording else { return }
        let rows = try messages.map(row)
        guard !rows.isEmpty else { return }
        let (table, wakeUp) = try outbox(in: &transaction)
        let statements = MessageRows(rows, topic: topic, support: database.outbox, dialect: database.dialect)
            .insertion(into: table)
        try transaction.run(statements + (wakeUp.map { [$0] } ?? []))
    }

    /// Publishes a message in a transaction of its own.
    /// - Parameter message: The message.
    /// - Throws: As ``publish(_:in:)``.
    public func publish(_ message: PlainMessage) async throws {
        try await database.transaction(.write) { try self.publish(message, in: &$0) }
    }

    /// Publishes messages in a transaction of their own.
    /// - Parameter messages: The messages, in their order.
    /// - Throws: As ``publish(_:in:)``; then none of them is published.
    public func publish(contentsOf messages: [PlainMessage]) async throws {
        try await database.transaction(.write) { try self.publish(contentsOf: messages, in: &$0) }
    }

    private func row(_ message: PlainMessage) throws -> MessageRows.Row {
        let encoded = try encoding.encode(message)
        let id = UUID().uuidString.lowercased()
        return MessageRows.Row(
            id: id,
            orderKey: encoded.key.map(Self.text) ?? id,
            partitionKey: message.partitionKey,
            key: encoded.key,
            value: encoded.value,
            headers: encoded.headers + attributes(of: message) + message.headers
        )
    }

    /// The attributes of a CloudEvent that only the message knows, as headers.
    private func attributes(of message: PlainMessage) -> [MessageHeader] {
        guard let style else { return [] }
        let values = [
            (CloudEventStyle.typeHeader, message.event.map(style.type)),
            (CloudEventStyle.subjectHeader, message.key?.keyText),
        ]
        return values.compactMap { name, value in value.map { MessageHeader(name, Array($0.utf8)) } }
    }

    /// A key as the outbox names it, which takes texts only.
    private static func text(_ key: [UInt8]) -> String {
        let isPlain = key.count <= 200 && key.allSatisfy { (0x20..<0x7f).contains($0) }
        if isPlain { return String(decoding: key, as: UTF8.self) }
        return key.count <= 100 ? key.hexadecimal : "\(key.prefix(80).hexadecimal)-\(key.fnv1a)"
    }

    private func outbox(in transaction: inout Transaction) throws -> (table: TableDescription, wakeUp: SQL?) {
        if let known = outbox.withLock({ $0 }) { return known }
        let tables = database.outbox.tables
        guard let table = try transaction.describe(table: tables.path),
            try transaction.describe(table: tables.path(StoredMessage.table)) != nil
        else {
            throw DionysusError(
                .declaration,
                "there is no outbox for messages in the database",
                advice: "run migrate first"
            )
        }
        guard table.column("changeset") != nil else {
            throw DionysusError(
                .declaration,
                "the outbox has no column changeset, by which its rows would name their messages",
                advice: "add the column as dionysus-rb's migration for observers does"
            )
        }
        let found = (table: table, wakeUp: try database.outbox.wakeUp(in: &transaction))
        outbox.withLock { $0 = found }
        return found
    }
}
