import Dionysus
import DionysusSchemas

/// How a topic's values are read: with what is known of their schemas.
struct RecordDecoding: Sendable {
    /// Which messages hold envelopes.
    enum Envelopes: Sendable {
        case none
        /// All, and whether the data of events are records, with links beside attributes.
        case all(ofRecords: Bool)
        /// Each message shows it.
        case some

        init(_ encoding: TopicEncoding) {
            self =
                switch encoding.shape {
                case .envelope(let format): .all(ofRecords: format?.putsRecordsInEnvelopes ?? false)
                case .record: .none
                case .auto, .debezium: .some
                }
        }
    }

    let reader: RecordReader
    let models: RecordModels
    let envelopes: Envelopes
    /// How rows of Debezium become records; nil if messages aren't Debezium's.
    let rows: DebeziumRows?
    /// Finds the ids of records, where the topic does it in its own way.
    let identifier: RecordIdentifier?
    /// Why data of schemas can't be read.
    let failures: [RecordReader.SchemaName: DionysusError]
    /// Whether a person has written the values anew, which is done in JSON.
    let areEdited: Bool

    /// Reads a message's value.
    func value(_ value: [UInt8], _ headers: [MessageHeader]) throws -> ReadValue {
        areEdited ? ReadValue(json: try JSON(parsing: value)) : try reader.value(value, headers, failures)
    }

    fileprivate var takesEnvelopes: Bool { if case .some = envelopes { true } else { false } }
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
        if case .all(let ofRecords) = decoding.envelopes {
            return try envelope(message, decoding, ofRecords: ofRecords, &deserializer)
        }
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
            return try decoded([end(of: message, name, decoding, &deserializer)])
        }
        let read = try decoding.value(value, message.headers)
        if decoding.takesEnvelopes, read.holdsEvents {
            return try envelope(read.json, message, ofRecords: read.isEnvelope ?? false, &deserializer)
        }
        guard case .object(var object) = read.json else { throw DionysusError(.malformed, "the value is not a record") }
        var change = name?.change ?? .updated
        if object.removeMark() { change = .destroyed }
        if let id = try identity(of: object, message, decoding) { object["id"] = id }
        let model = try decoding.models.model(name, read.name)
        return try decoded([event(model, name, change, deserializer.flatRecord(object, model: model, number: 0))])
    }

    /// The destruction of the record that the key of a message without a value names.
    func end(
        of message: ConsumedMessage,
        _ name: EventName?,
        _ decoding: RecordDecoding,
        _ deserializer: inout Deserializer
    ) throws -> DecodedEvent {
        let own = try identity(of: JSON.Object(), message, decoding)
        let (id, keyModel, keyName) =
            try own.map { ($0, nil, nil) } ?? decoding.reader.id(message, decoding.failures)
        let model = try keyModel ?? decoding.models.model(name, keyName)
        return event(model, name, .destroyed, try deserializer.flatRecord(["id": id], model: model, number: 0))
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

extension ReadValue {
    /// Whether it is an envelope, as its schema or else its form says.
    fileprivate var holdsEvents: Bool {
        if let isEnvelope { return isEnvelope }
        if case .array? = json["message"] { return true }
        return false
    }
}

extension JSON.Object {
    /// Removes the mark of a destroyed record, and what isn't known of it: that is null in formats where it can't be missing.
    /// - Returns: Whether it is marked as destroyed.
    mutating func removeMark() -> Bool {
        guard let mark = self[RecordDeletion.field] else { return false }
        self[RecordDeletion.field] = nil
        guard mark == .bool(true) || mark == .string("true") else { return false }
        members.removeAll { $0.value == .null }
        return true
    }
}
