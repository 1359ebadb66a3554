import Dionysus

/// The statements of the event log, one for a whole batch.
enum EventLogStatements {
    /// Inserts what the log doesn't have; its rows are the offsets and numbers of what was inserted.
    static func insertion(of entries: [EventLogEntry], group: String, _ dialect: any SQLDialect) -> SQL {
        let topic = entries.first?.event.topic ?? ""
        let messages = entries.map(\.event.message)
        let columns = [
            BulkColumn("part", .integer, messages.map { .integer(Int64($0.source.partition)) }),
            BulkColumn("place", .integer, messages.map { .integer($0.offset) }),
            BulkColumn("number", .integer, entries.map { .integer(Int64($0.event.number)) }),
            BulkColumn("key", .bytes, messages.map { $0.key.map(DatabaseValue.bytes) ?? .null }),
            BulkColumn("headers", .text, messages.map { .text($0.headersText) }),
            BulkColumn("model", .text, entries.map { .text($0.event.model.storable) }),
            BulkColumn("entity_id", .text, entries.map { ($0.event.entityID?.storable).databaseValue }),
            BulkColumn("event_time", .timestamp, entries.map { $0.event.time.databaseValue }),
            BulkColumn("event_type", .text, entries.map { .text($0.event.name.description.storable) }),
            BulkColumn("event_version", .integer, entries.map { $0.event.version.databaseValue }),
            BulkColumn("checksum", .text, entries.map { .text($0.checksum) }),
            BulkColumn("identity", .text, entries.map { .text($0.identity) }),
            BulkColumn("payload", .text, entries.map { .text($0.payload) }),
            BulkColumn("written_at", .timestamp, messages.map { .timestamp($0.timestamp) }),
        ]
        return """
            INSERT INTO dionysus_events
              ("group", topic, "partition", "offset", event_number, "key", headers, model, entity_id, event_time,
              event_type, event_version, checksum, identity, payload, written_at, attempts, created_at, handled_at)
            SELECT \(group), \(topic), v.part, v.place, v.number, v."key", v.headers, v.model, v.entity_id, v.event_time,
              v.event_type, v.event_version, v.checksum, v.identity, v.payload, v.written_at, 1, \(dialect.now),
              \(dialect.now)
            FROM \(dialect.rows(columns, alias: "v")) WHERE true
            ON CONFLICT ("group", topic, identity) DO NOTHING
            RETURNING "offset", event_number
            """
    }

    static func removal(of identities: [String], group: String, topic: String, _ dialect: any SQLDialect) -> SQL {
        let isRemoved = dialect.isAny("identity", of: identities.map(DatabaseValue.text), type: .text)
        return "DELETE FROM dionysus_events WHERE \"group\" = \(group) AND topic = \(topic) AND \(isRemoved)"
    }

    static func changes(
        _ changes: [(identity: String, change: HandlerResult.Acknowledgement)],
        group: String,
        topic: String,
        _ dialect: any SQLDialect
    ) -> SQL {
        let columns = [
            BulkColumn("identity", .text, changes.map { .text($0.identity) }),
            BulkColumn("entity_id", .text, changes.map { ($0.change.entityID?.storable).databaseValue }),
            BulkColumn("event_time", .timestamp, changes.map { $0.change.time.databaseValue }),
            BulkColumn("event_type", .text, changes.map { ($0.change.type?.storable).databaseValue }),
            BulkColumn("event_version", .integer, changes.map { $0.change.version.databaseValue }),
        ]
        return """
            UPDATE dionysus_events AS e SET
              entity_id = coalesce(v.entity_id, e.entity_id), event_time = coalesce(v.event_time, e.event_time),
              event_type = coalesce(v.event_type, e.event_type),
              event_version = coalesce(v.event_version, e.event_version)
            FROM \(dialect.rows(columns, alias: "v"))
            WHERE e."group" = \(group) AND e.topic = \(topic) AND e.identity = v.identity
            """
    }

    static func change(of id: Int64, to change: HandlerResult.Acknowledgement) -> SQL {
        let entityID = (change.entityID?.storable).databaseValue
        let type = (change.type?.storable).databaseValue
        return """
            UPDATE dionysus_events SET
              entity_id = coalesce(\(entityID), entity_id),
              event_time = coalesce(\(change.time.databaseValue), event_time),
              event_type = coalesce(\(type), event_type),
              event_version = coalesce(\(change.version.databaseValue), event_version)
            WHERE id = \(id)
            """
    }
}

extension ConsumedMessage {
    /// The headers as a JSON list, from which they can be read back as they were; without the one that names the schema
    /// of the value, because the log keeps the event as JSON.
    fileprivate var headersText: String {
        let list = headers.filter { $0.name != HeaderName.schema }
            .map { header -> JSON in
                if let text = String(validating: header.value, as: UTF8.self) {
                    return .object(["name": .string(header.name), "value": .string(text)])
                }
                return .object(["name": .string(header.name), "base64": .string(header.value.base64Encoded)])
            }
        return JSON.array(list).text
    }
}

extension String {
    /// The text as every database can hold it, also in an index.
    fileprivate var storable: String { storable(upTo: 500, mark: "") }
}
