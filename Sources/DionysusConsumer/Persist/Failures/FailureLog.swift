import Dionysus

/// The messages that could not be applied, as they are recorded in the database.
///
/// Whatever the bytes of a message are, it can be recorded: key and payload are stored as they are, and what is shown of
/// them as text is cut and cleaned.
struct FailureLog: Sendable {
    let group: String

    /// One statement for all of them: a whole batch may fail.
    func statements(for failures: [FailedMessage], _ dialect: any SQLDialect) -> [SQL] {
        guard !failures.isEmpty else { return [] }
        let messages = failures.map(\.message)
        let subjects = messages.map { FailureSubject($0) }
        let errors = failures.map { RecordedError($0.error) }
        let columns = [
            BulkColumn("topic", .text, messages.map { .text($0.source.topic) }),
            BulkColumn("part", .integer, messages.map { .integer(Int64($0.source.partition)) }),
            BulkColumn("place", .integer, messages.map { .integer($0.offset) }),
            BulkColumn("message_key", .bytes, messages.map { $0.key.map(DatabaseValue.bytes).databaseValue }),
            BulkColumn("key_hash", .integer, messages.map { $0.key.map(Self.hash).databaseValue }),
            BulkColumn("payload", .bytes, messages.map { $0.value.map(DatabaseValue.bytes).databaseValue }),
            BulkColumn("metadata", .json, messages.map { .json(MessageMetadata($0).json.text) }),
            BulkColumn("entity_id", .text, subjects.map { $0.entityID.databaseValue }),
            BulkColumn(
                "event_time",
                .timestamp,
                zip(subjects, messages).map { .timestamp($0.time ?? $1.timestamp.storable) }
            ),
            BulkColumn("event_type", .text, subjects.map { $0.type.databaseValue }),
            BulkColumn("event_version", .integer, subjects.map { $0.version.databaseValue }),
            BulkColumn("error_class", .text, errors.map { .text($0.kind) }),
            BulkColumn("error_message", .text, errors.map { .text($0.message) }),
            BulkColumn("cause_hash", .integer, errors.map { .integer(FailureCause(of: $0.message).hash) }),
            BulkColumn("error_details", .text, errors.map { $0.details.databaseValue }),
            BulkColumn("attempts", .integer, failures.map { .integer(Int64($0.attempts)) }),
        ]
        return [
            """
            INSERT INTO dionysus_failures (topic, "group", "partition", "offset", "key", key_hash, payload, metadata,
              entity_id, event_time, event_type, event_version, error_class, error_message, cause_hash, error_details,
              attempts, created_at)
            SELECT v.topic, \(group), v.part, v.place, v.message_key, v.key_hash, v.payload, v.metadata, v.entity_id,
              v.event_time, v.event_type, v.event_version, v.error_class, v.error_message, v.cause_hash, v.error_details,
              v.attempts, \(dialect.now)
            FROM \(dialect.rows(columns, alias: "v")) WHERE true
            ON CONFLICT ("group", topic, "partition", "offset") DO UPDATE SET
              error_class = excluded.error_class, error_message = excluded.error_message,
              cause_hash = excluded.cause_hash, error_details = excluded.error_details, attempts = excluded.attempts, created_at = excluded.created_at
            """
        ]
    }

    /// A number by which the database finds keys; an index can't hold keys of every length.
    ///
    /// It stands in the table, so it never changes.
    static func hash(of key: [UInt8]) -> Int64 { Int64(bitPattern: key.fnv1a) }
}

/// An error as it is recorded.
struct RecordedError: Sendable {
    let kind: String
    let message: String
    /// What the database or the application said besides the message; it may show values, as the payload does that is
    /// stored beside it.
    let details: String?

    init(_ error: DionysusError) {
        kind = error.code.description.storable(upTo: 200)
        message = error.description.storable(upTo: 4_000)
        details = error.underlying.map { String(reflecting: $0).storable(upTo: 20_000) }
    }
}

/// What is known of a failed message, however little of it could be read.
struct FailureSubject {
    var entityID: String?
    var type: String?
    var time: Timestamp?
    var version: Int64?

    init(_ received: ConsumedMessage) {
        let opening = CloudEventOpening(namespace: nil, takesRecords: true)
        let message = (try? opening.open(received)) ?? received
        entityID = MessageKey(message.key)?.id.storable(upTo: 500)
        let header = message.headers.last { $0.name == HeaderName.version }
        version = header.flatMap { Int64(String(decoding: $0.value, as: UTF8.self)) }
        guard let value = message.value, case .array(let events)? = (try? JSON(parsing: value))?["message"],
            let event = events.first
        else { return }
        if case .string(let name)? = event["event"] { type = name.storable(upTo: 500) }
        guard let payload = event["data"]?.payloads?.first else { return }
        for name in ["created_at", "updated_at"] {
            if case .string(let text)? = payload[name] { time = Timestamp(text)?.storable ?? time }
        }
    }
}

extension Timestamp {
    /// The nearest point in time of the years 1 to 9999, which every database can hold.
    fileprivate var storable: Timestamp {
        Timestamp(microseconds: min(max(microseconds, -62_135_596_800_000_000), 253_402_300_799_999_999))
    }
}
