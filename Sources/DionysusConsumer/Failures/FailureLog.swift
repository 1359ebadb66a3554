import Dionysus

/// The messages that could not be applied, as they are recorded in the database.
struct FailureLog: Sendable {
    let group: String

    /// One statement for each message; they are rare.
    func statements(for failures: [FailedMessage], _ dialect: any SQLDialect) -> [SQL] {
        failures.map { failure in
            let message = failure.message
            let headers = message.headers.map { header in
                let text = header.value.contains(0) ? nil : String(validating: header.value, as: UTF8.self)
                return JSON.Object.Member(header.name.storable, .string(text ?? header.value.base64Encoded))
            }
            let subject = FailureSubject(message)
            return """
                INSERT INTO dionysus_failures (topic, "group", "partition", "offset", "key", payload, metadata, entity_id,
                  event_time, event_type, event_version, error_class, error_message, error_details, attempts, created_at)
                VALUES (\(message.source.topic), \(group), \(message.source.partition), \(message.offset),
                  \(message.key.map(DatabaseValue.bytes).databaseValue),
                  \(message.value.map(DatabaseValue.bytes).databaseValue),
                  \(DatabaseValue.json(JSON.object(JSON.Object(headers)).text)), \(subject.entityID.databaseValue),
                  \(subject.time ?? message.timestamp), \(subject.type.databaseValue), \(subject.version.databaseValue),
                  \(failure.error.code.description), \(failure.error.description.storable),
                  \(failure.details.map(\.storable).databaseValue),
                  \(failure.attempts), \(dialect.now))
                ON CONFLICT ("group", topic, "partition", "offset") DO UPDATE SET
                  error_class = excluded.error_class, error_message = excluded.error_message,
                  error_details = excluded.error_details, attempts = excluded.attempts, created_at = excluded.created_at
                """
        }
    }
}

extension FailedMessage {
    /// What the database said besides the message; it may show values, as the payload does that is stored beside it.
    var details: String? { error.underlying.map { String(reflecting: $0) } }
}

/// What can be said of a message that failed, however little of it could be read.
struct FailureSubject {
    var entityID: String?
    var type: String?
    var time: Timestamp?
    var version: Int64?

    init(_ message: ConsumedMessage) {
        entityID = MessageKey(message.key)?.id.storable
        let header = message.headers.last { $0.name == HeaderName.version }
        version = header.flatMap { Int64(String(decoding: $0.value, as: UTF8.self)) }
        guard let value = message.value, case .array(let events)? = (try? JSON(parsing: value))?["message"],
            let event = events.first
        else { return }
        if case .string(let name)? = event["event"] { type = name.storable }
        guard case .array(let payloads)? = event["data"], let payload = payloads.first else { return }
        for name in ["created_at", "updated_at"] {
            guard case .string(let text)? = payload[name], let found = Timestamp(text), Self.years.contains(found)
            else {
                continue
            }
            time = found
        }
    }

    /// The years from 1 to 9999, which every database has.
    private static let years =
        Timestamp(microseconds: -62_135_596_800_000_000)...Timestamp(microseconds: 253_402_300_799_999_999)
}

extension String {
    /// The text as every database takes it, and not longer than is of use: what could not be recorded would stop the
    /// partition.
    var storable: String {
        let text = utf8.count > 10_000 ? String(decoding: utf8.prefix(10_000), as: UTF8.self) + "…" : self
        return text.utf8.contains(0) ? text.replacing("\0", with: "\u{fffd}") : text
    }
}
