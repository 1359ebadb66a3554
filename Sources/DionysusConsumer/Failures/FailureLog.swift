import Dionysus

/// The messages that could not be applied, as they are recorded in the database.
///
/// Whatever the bytes of a message are, it can be recorded: key and payload are stored as they are, and what is shown of
/// them as text is cut and cleaned.
struct FailureLog: Sendable {
    let group: String

    /// One statement for each message; they are rare.
    func statements(for failures: [FailedMessage], _ dialect: any SQLDialect) -> [SQL] {
        failures.map { failure in
            let message = failure.message
            let subject = FailureSubject(message)
            let error = RecordedError(failure.error)
            return """
                INSERT INTO dionysus_failures (topic, "group", "partition", "offset", "key", key_hash, payload, metadata,
                  entity_id, event_time, event_type, event_version, error_class, error_message, error_details, attempts,
                  created_at)
                VALUES (\(message.source.topic), \(group), \(message.source.partition), \(message.offset),
                  \(message.key.map(DatabaseValue.bytes).databaseValue), \(message.key.map(Self.hash).databaseValue),
                  \(message.value.map(DatabaseValue.bytes).databaseValue),
                  \(DatabaseValue.json(MessageMetadata(message).json.text)),
                  \(subject.entityID.databaseValue), \(subject.time ?? message.timestamp.storable),
                  \(subject.type.databaseValue), \(subject.version.databaseValue),
                  \(error.kind), \(error.message), \(error.details.databaseValue), \(failure.attempts), \(dialect.now))
                ON CONFLICT ("group", topic, "partition", "offset") DO UPDATE SET
                  error_class = excluded.error_class, error_message = excluded.error_message,
                  error_details = excluded.error_details, attempts = excluded.attempts, created_at = excluded.created_at
                """
        }
    }

    /// A number by which the database finds keys; an index can't hold keys of every length.
    ///
    /// It stands in the table, so it never changes.
    static func hash(of key: [UInt8]) -> Int64 {
        // FNV-1a
        Int64(
            bitPattern: key.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { hash, byte in
                (hash ^ UInt64(byte)) &* 0x100_0000_01b3
            }
        )
    }
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

/// What can be said of a message that failed, however little of it could be read.
struct FailureSubject {
    var entityID: String?
    var type: String?
    var time: Timestamp?
    var version: Int64?

    init(_ message: ConsumedMessage) {
        entityID = MessageKey(message.key)?.id.storable(upTo: 500)
        let header = message.headers.last { $0.name == HeaderName.version }
        version = header.flatMap { Int64(String(decoding: $0.value, as: UTF8.self)) }
        guard let value = message.value, case .array(let events)? = (try? JSON(parsing: value))?["message"],
            let event = events.first
        else { return }
        if case .string(let name)? = event["event"] { type = name.storable(upTo: 500) }
        guard case .array(let payloads)? = event["data"], let payload = payloads.first else { return }
        for name in ["created_at", "updated_at"] {
            if case .string(let text)? = payload[name] { time = Timestamp(text)?.storable ?? time }
        }
    }
}

extension String {
    /// The text as every database can hold it: without zero bytes, and of a limited length.
    func storable(upTo limit: Int) -> String {
        let clean = hasZeroByte ? replacing("\0", with: "\u{fffd}") : self
        return clean.unicodeScalars.count > limit
            ? String(String.UnicodeScalarView(clean.unicodeScalars.prefix(limit))) + "…" : clean
    }
}

extension Timestamp {
    /// The nearest point in time of the years 1 to 9999, which every database can hold.
    fileprivate var storable: Timestamp {
        Timestamp(microseconds: min(max(microseconds, -62_135_596_800_000_000), 253_402_300_799_999_999))
    }
}
