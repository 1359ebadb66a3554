import Dionysus
import DionysusSchemas

/// How a topic's records are read: with what is known of their schemas.
struct RecordDecoding: Sendable {
    let reader: RecordReader
    let models: RecordModels
    /// Whether messages may hold envelopes, too.
    let takesEnvelopes: Bool
    /// How rows of Debezium become records; nil if messages aren't Debezium's.
    let rows: DebeziumRows?
    /// Finds the ids of records, where the topic does it in its own way.
    let identifier: RecordIdentifier?
    /// Why data of schemas can't be read.
    let failures: [RecordReader.SchemaName: DionysusError]
}

extension MessageDecoder {
    /// Reads a message that holds a record.
    ///
    /// A message without a value is a record's end, unless it comes from the command that cleans a log: that one has a version
    /// and names no event.
    func record(
        _ message: ConsumedMessage,
        _ decoding: RecordDecoding,
        _ deserializer: inout Deserializer
    ) throws -> DecodedMessage {
        if let rows = decoding.rows { return try row(message, decoding, rows, &deserializer) }
        let version = try version(of: message)
        let header = message.headers.last { $0.name == HeaderName.event }
        let name = header.flatMap { EventName(String(decoding: $0.value, as: UTF8.self)) }
        func decoded(_ events: [DecodedEvent]) throws -> DecodedMessage {
            try checkTime(of: message, events)
            return DecodedMessage(message: message, version: version, events: events)
        }
        // An event of another kind says nothing about a record.
        if header != nil, name == nil { return try decoded([]) }
        guard let value = message.value, !message.isTombstone else {
            // Of envelopes it never is an end by itself.
            let isOfEnvelopes = decoding.takesEnvelopes && decoding.reader.messageKey(message) != nil
            guard name != nil || (version == nil && !isOfEnvelopes) || tombstonesDelete else { return try decoded([]) }
            let own = try identity(of: JSON.Object(), message, decoding)
            let (id, keyModel, keyName) =
                try own.map { ($0, nil, nil) } ?? decoding.reader.id(message, decoding.failures)
            let model = try keyModel ?? decoding.models.model(name, keyName)
            let record = try deserializer.flatRecord(["id": id], model: model, number: 0)
            return try decoded([event(model, name, .destroyed, record)])
        }
        let (json, recordName) = try decoding.reader.value(value, message.headers, decoding.failures)
        if decoding.takesEnvelopes, case .array? = json["message"] { return try envelope(json, message, &deserializer) }
        guard case .object(var object) = json else { throw DionysusError(.malformed, "the value is not a record") }
        var change = name?.change ?? .updated
        if let mark = object[RecordDeletion.field] {
            object[RecordDeletion.field] = nil
            if mark == .bool(true) || mark == .string("true") {
                change = .destroyed
                // What isn't known of a record that is gone is null in formats where it can't be missing.
                object.members.removeAll { $0.value == .null }
            }
        }
        if let id = try identity(of: object, message, decoding) { object["id"] = id }
        let model = try decoding.models.model(name, recordName)
        return try decoded([event(model, name, change, deserializer.flatRecord(object, model: model, number: 0))])
    }

    /// The id that the topic finds in its own way.
    private func identity(
        of object: JSON.Object,
        _ message: ConsumedMessage,
        _ decoding: RecordDecoding
    ) throws -> JSON? {
        guard let identifier = decoding.identifier else { return nil }
        let key = try decoding.reader.key(message, decoding.failures)
        do {
            return try identifier(object, key)
        } catch {
            throw DionysusError.ofApplication(error, "finding the id of a record failed")
        }
    }

    private func event(
        _ model: String,
        _ name: EventName?,
        _ change: EventName.Change,
        _ record: RecordPayload
    ) -> DecodedEvent {
        let singular = name?.singular ?? naming.inflection.underscored(model)
        return DecodedEvent(name: EventName(singular, change), model: model, records: [record])
    }
}
