public import Dionysus
import DionysusSchemas
import Synchronization

import struct Foundation.UUID

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
    private let outbox = Mutex<(table: TableDescription, wakeUp: SQL?)?>(nil)

    /// Creates a publisher, and asks the schema registry for what its messages are written with.
    /// - Parameters:
    ///   - registry: The declaration that has the topic.
    ///   - topic: The topic's full name.
    ///   - database: The database with the outbox.
    ///   - settings: The settings, for the schema registry.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` for a topic that isn't declared or whose encoding names no schema,
    ///   and as the registry's client does.
    public init(
        _ registry: Registry,
        topic: String,
        database: any CapturingDatabase,
        settings: ProducerSettings = ProducerSettings()
    ) async throws {
        self.topic = topic
        self.database = database
        isRecording = settings.recordsChanges
        encoding = try await MessageEncoding(ofTopic: topic, registry, settings)
    }

    /// Publishes a message once the transaction is committed.
    /// - Parameters:
    ///   - message: The message.
    ///   - transaction: The transaction that it belongs to.
    /// - Throws: ``/Dionysus/DionysusError``: `malformed` with the path of the field for a message that doesn't fit its schema,
    ///   or that lacks its key; `declaration` when nothing has been migrated; as ``/Dionysus/Transaction/run(_:)-(SQL)``.
    public func publish(_ message: PlainMessage, in transaction: inout Transaction) throws {
        try publish(contentsOf: [message], in: &transaction)
    }

    /// Publishes messages once the transaction is committed.
    /// - Parameters:
    ///   - messages: The messages, in their order.
    ///   - transaction: The transaction that they belong to.
    /// - Throws: As ``publish(_:in:)``; then none of them is published.
    public func publish(contentsOf messages: some Sequence<PlainMessage>, in transaction: inout Transaction) throws {
        guard isRecording, !DisabledTopics.contains(topic) else { return }
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
            headers: encoded.headers + message.headers
        )
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
