import Dionysus

/// Reads messages.
///
/// Their bytes are not trusted: what is not the wire format fails, message by message.
struct MessageDecoder: Sendable {
    let naming: Naming
    /// Whether a message without a value destroys its record.
    let tombstonesDelete: Bool
    /// How far ahead messages may be.
    let horizon: Horizon
    /// How values are read; nil for a topic of envelopes without a format.
    var records: RecordDecoding?
    /// Whether the records are messages that are no model's.
    var holdsMessages = false
    /// Whether the payloads of events may have links beside attributes: those that the log of events keeps of records, and what
    /// people write.
    var mayHoldRecords = false

    func decode(_ messages: [ConsumedMessage]) -> (messages: [DecodedMessage], failures: [FailedMessage]) {
        var deserializer = Deserializer(naming: naming, horizon: horizon)
        var decoded: [DecodedMessage] = []
        var failures: [FailedMessage] = []
        decoded.reserveCapacity(messages.count)
        for message in messages {
            do {
                decoded.append(try decode(message, &deserializer))
            } catch {
                failures.append(FailedMessage(message: message, error: DionysusError(in: message, error), attempts: 1))
            }
        }
        return (decoded, failures)
    }

    private func decode(_ message: ConsumedMessage, _ deserializer: inout Deserializer) throws -> DecodedMessage {
        deserializer.start()
        if let records, holdsMessages { return try plain(message, records) }
        if let records { return try record(message, records, &deserializer) }
        guard let value = message.value, !message.isTombstone else {
            let events = tombstonesDelete ? try end(of: message, &deserializer) : []
            try checkTime(of: message, events)
            return DecodedMessage(message: message, version: try version(of: message), events: events)
        }
        return try envelope(JSON(parsing: value), message, ofRecords: false, &deserializer)
    }

    /// Reads a list of events.
    /// - Parameter ofRecords: Whether the data of events are records, with links beside attributes.
    func envelope(
        _ value: JSON,
        _ message: ConsumedMessage,
        ofRecords: Bool,
        _ deserializer: inout Deserializer
    ) throws -> DecodedMessage {
        guard case .array(let events)? = value["message"] else {
            throw DionysusError(.malformed, "the value has no list of events under \"message\"")
        }
        let version = try version(of: message)
        var count = 0
        let decoded = try events.compactMap { try event($0, ofRecords: ofRecords, &count, &deserializer) }
        try checkTime(of: message, decoded)
        return DecodedMessage(message: message, version: version, events: decoded)
    }

    /// The message's own time says when a record was destroyed if the record doesn't.
    func checkTime(of message: ConsumedMessage, _ events: [DecodedEvent]) throws {
        let isUndated = events.contains { $0.name.change == .destroyed && $0.records.contains { $0.time == nil } }
        if isUndated { try horizon.check(message.timestamp, "the message's time") }
    }

    /// An event, or nil for one whose name says nothing about a record.
    /// - Parameter count: How many records the events before it have; those of an event that is left out count too.
    private func event(
        _ value: JSON,
        ofRecords: Bool,
        _ count: inout Int,
        _ deserializer: inout Deserializer
    ) throws -> DecodedEvent? {
        guard case .string(let text)? = value["event"], case .string(let model)? = value["model_name"],
            let payloads = value["data"]?.payloads
        else { throw DionysusError(.malformed, "an event lacks its name, its model's name or its list of data") }
        let first = count
        count += payloads.count
        guard let name = EventName(text) else { return nil }
        let records = try payloads.enumerated()
            .map { index, payload in
                guard case .object(var object) = payload else {
                    throw DionysusError(.malformed, "a payload of \(model.inMessage) is not an object")
                }
                guard ofRecords || mayHoldRecords && object["links"] == nil else {
                    return try deserializer.record(object, model: model, number: first + index)
                }
                _ = object.removeMark()
                return try deserializer.flatRecord(object, model: model, number: first + index)
            }
        return DecodedEvent(name: name, model: model, records: records)
    }

    /// The destruction of the record that a message's key names.
    private func end(of message: ConsumedMessage, _ deserializer: inout Deserializer) throws -> [DecodedEvent] {
        guard let key = MessageKey(message.key) else {
            throw DionysusError(.malformed, "the key of a message without a value is not MODEL_NAME:ID")
        }
        let payload: JSON.Object = ["id": .string(key.id)]
        let record = try deserializer.record(payload, model: key.model, number: 0)
        let name = EventName(naming.inflection.underscored(key.model), .destroyed)
        return [DecodedEvent(name: name, model: key.model, records: [record])]
    }

    func version(of message: ConsumedMessage) throws -> Int64? {
        guard let header = message.headers.last(where: { $0.name == HeaderName.version }) else { return nil }
        guard let version = Int64(String(decoding: header.value, as: UTF8.self)) else {
            throw DionysusError(.malformed, "the header \(HeaderName.version) is not a number")
        }
        try horizon.check(version: version)
        return version
    }
}
