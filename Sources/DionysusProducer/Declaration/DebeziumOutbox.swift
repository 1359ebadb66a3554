public import Dionysus

public import struct Foundation.UUID

/// A table in the shape of Debezium's outbox: `id`, `aggregatetype`, `aggregateid`, `type`, `payload`.
///
/// A producer that declares it (``Producer/debeziumOutboxes``) publishes its rows, in place of Debezium's event router. With
/// or without that, ``publish(contentsOf:removing:in:)`` writes rows of that shape.
public struct DebeziumOutbox: Sendable {
    /// What has happened.
    public struct Event: Sendable {
        /// The event's id, by which consumers know a repetition.
        public var id: UUID
        /// What it happened to; the topic ends in it.
        package var aggregateType: String
        /// Which one it happened to: the message's key.
        package var aggregateID: String
        /// What happened.
        package var type: String
        /// The message; nil for one without a value.
        package var payload: JSON?

        /// Creates an event.
        /// - Parameters:
        ///   - aggregateType: What it happened to; the topic ends in it.
        ///   - aggregateID: Which one it happened to.
        ///   - type: What happened.
        ///   - payload: The message; nil for one without a value.
        ///   - id: The event's id.
        public init(
            aggregateType: String,
            aggregateID: String,
            type: String,
            payload: JSON?,
            id: UUID = UUID()
        ) {
            self.aggregateType = aggregateType
            self.aggregateID = aggregateID
            self.type = type
            self.payload = payload
            self.id = id
        }
    }

    /// The names of its columns.
    public struct Columns: Sendable, Hashable {
        /// The event's id.
        public var id = "id"
        /// What the event happened to.
        public var aggregateType = "aggregatetype"
        /// Which one it happened to.
        public var aggregateID = "aggregateid"
        /// What happened.
        public var type = "type"
        /// The message.
        public var payload = "payload"

        /// The names that Debezium expects.
        public init() {}
    }

    /// What stands in a topic's name for what the event happened to.
    static let placeholder = "${aggregatetype}"

    package let table: String
    package let topic: String
    /// The names of its columns.
    public var columns = Columns()
    /// Headers of messages, by the columns that they are taken from: `["type": "eventType"]`.
    ///
    /// Default empty: the only header is `id`.
    public var headers: [String: String] = [:]

    /// Names a table.
    /// - Parameters:
    ///   - table: Its name, with its schema if it needs one.
    ///   - topic: The whole name of the topic, in which `${aggregatetype}` stands for that column's value.
    public init(_ table: String = "outboxevent", topic: String = "outbox.event.${aggregatetype}") {
        self.table = table
        self.topic = topic
    }

    /// Writes an event, which is published once the transaction is committed.
    /// - Parameters:
    ///   - event: The event.
    ///   - transaction: The transaction that it belongs to.
    ///   - removing: As for ``publish(contentsOf:removing:in:)``.
    /// - Throws: As ``publish(contentsOf:removing:in:)``.
    public func publish(_ event: Event, removing: Bool = false, in transaction: inout Transaction) throws {
        try publish(contentsOf: [event], removing: removing, in: &transaction)
    }

    /// Writes events, which are published once the transaction is committed: by Debezium, or by a relay whose declaration has
    /// the table.
    /// - Parameters:
    ///   - events: The events, in their order.
    ///   - removing: Whether the rows are deleted in the same transaction. Debezium reads the database's log and a relay what
    ///     a trigger has written, so that neither needs them any longer.
    ///   - transaction: The transaction that they belong to.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` if there is no such table; as ``/Dionysus/Transaction/run(_:)-(SQL)``.
    public func publish(
        contentsOf events: some Collection<Event>,
        removing: Bool = false,
        in transaction: inout Transaction
    ) throws {
        guard !events.isEmpty else { return }
        let names = [columns.id, columns.aggregateType, columns.aggregateID, columns.type, columns.payload]
        guard let description = try transaction.describe(table: table),
            case let described = names.compactMap({ description.column($0) }), described.count == names.count
        else {
            throw DionysusError(
                .declaration,
                "there is no table \(table) with the columns \(names.joined(separator: ", "))",
                advice: "create it, or name its columns (DebeziumOutbox.columns)"
            )
        }
        let dialect = transaction.dialect
        let ids = events.map { DatabaseValue.text($0.id.uuidString.lowercased()) }
        let rows = dialect.rows(
            [
                BulkColumn("id", .text, ids),
                BulkColumn("aggregatetype", .text, events.map { .text($0.aggregateType) }),
                BulkColumn("aggregateid", .text, events.map { .text($0.aggregateID) }),
                BulkColumn("type", .text, events.map { .text($0.type) }),
                described[4].type == .bytes
                    ? BulkColumn(
                        "payload",
                        .bytes,
                        events.map { ($0.payload?.bytes).map(DatabaseValue.bytes).databaseValue }
                    )
                    : BulkColumn("payload", .text, events.map { ($0.payload?.text).databaseValue }),
                BulkColumn("place", .integer, (0..<events.count).map { .integer(Int64($0)) }),
            ],
            alias: "r"
        )
        let values = zip(["id", "aggregatetype", "aggregateid", "type", "payload"], described)
            .map { name, column in dialect.taking("r.\(identifier: name)", in: column) }
        let identifiers = names.map { "\(identifier: $0)" as SQL }
        try transaction.run(
            """
            INSERT INTO \(identifier: table) (\(identifiers.joined(separator: ", ")))
            SELECT \(values.joined(separator: ", ")) FROM \(rows) ORDER BY r.place
            """
        )
        guard removing else { return }
        let isWritten = dialect.isAny(dialect.asText("\(identifier: columns.id)"), of: ids, type: .text)
        try transaction.run("DELETE FROM \(identifier: table) WHERE \(isWritten)")
    }
}

extension SQLDialect {
    /// Text as a column of another type takes it.
    fileprivate func taking(_ text: SQL, in column: ColumnDescription) -> SQL {
        guard enforcesTypes else { return text }
        return switch column.type {
        case .json, .uuid: "CAST(\(text) AS \(raw: column.declaredType))"
        default: text
        }
    }
}

extension DebeziumOutbox {
    /// What is wrong with declared tables, a line each.
    static func faults(_ outboxes: [DebeziumOutbox]) -> [String] {
        let tables = outboxes.map(\.table)
        return
            outboxes.filter {
                $0.topic.isEmpty || $0.topic.split(separator: placeholder, omittingEmptySubsequences: false).count > 2
            }
            .map { "the topic of \($0.table)'s rows must have a name, in which \(placeholder) stands at most once" }
            + Set(tables).filter { name in tables.count { $0 == name } > 1 }.sorted()
            .map { "the outbox \($0) is declared more than once" }
    }

    /// What a database is asked for.
    func capture(resourceClass: String, eventName: String) -> MessageTableCapture {
        let parts = topic.split(separator: Self.placeholder, maxSplits: 1, omittingEmptySubsequences: false)
        return MessageTableCapture(
            table: table,
            id: columns.id,
            destination: columns.aggregateType,
            key: columns.aggregateID,
            payload: columns.payload,
            topicPrefix: String(parts[0]),
            topicSuffix: parts.count > 1 ? String(parts[1]) : nil,
            idHeader: "id",
            headers: headers,
            resourceClass: resourceClass,
            eventName: eventName
        )
    }
}
