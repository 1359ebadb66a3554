import Dionysus
import DionysusSchemas

import struct Foundation.UUID

/// A record that an event is about.
struct RespondedRecord {
    let group: RecordGroup
    /// Its primary key, as the outbox would have it.
    let id: String
    let record: any Model
    let values: JSON.Object
}

/// A message with what is announced of it on the event bus.
struct AddressedMessage: Sendable {
    var message: OutgoingMessage
    let partitionKey: String?
    let events: [RespondEvent.Event]
}

/// A message that is being composed.
struct ResponseComposition {
    let message: ResponderMessage
    /// The records of each event; none for one that has payloads.
    let records: [[RespondedRecord]]
    let topic: String
    let loaded: [RecordGroup: LoadedRecords]
    let encoder: JSONTreeEncoder

    func addressed(_ registry: Registry, version: Int64) throws -> AddressedMessage {
        let key = Array(try self.key().utf8)
        let partitionKey = try message.partitionKey ?? defaultPartitionKey(registry)
        var outgoing = OutgoingMessage(
            topic: topic,
            destination: .partitioned(by: partitionKey.map { Array($0.utf8) } ?? key),
            key: key,
            value: encoder.finished(JSON.object(["message": .array(try events())]).bytes),
            headers: [
                MessageHeader(HeaderName.eventID, Array(UUID().uuidString.lowercased().utf8)),
                MessageHeader(HeaderName.version, Array(String(version).utf8)),
            ] + (TraceContext.current()?.headers ?? [])
        )
        if let style = registry.cloudEvents[topic] {
            style.apply(
                to: &outgoing,
                CloudEventStyle.Facts(
                    type: style.type(message.events.first?.name ?? ""),
                    subject: subject,
                    time: .now,
                    dataType: TopicEncoding.contentType(nil, isFramed: false)
                )
            )
        }
        return AddressedMessage(message: outgoing, partitionKey: partitionKey, events: announcements())
    }

    private func announcements() -> [RespondEvent.Event] {
        zip(message.events, records)
            .map { event, records in
                let ids =
                    switch event.content {
                    case .records: records.map(\.id)
                    case .payloads(let payloads):
                        payloads.compactMap { payload in payload[event.model.primaryKey].map(\.anyKeyText) }
                    }
                return RespondEvent.Event(name: event.name, model: event.model.name, ids: ids)
            }
    }

    private func events() throws -> [JSON] {
        guard !message.events.isEmpty else {
            throw DionysusError(.declaration, "a message to topic \(topic) has no event")
        }
        return try zip(message.events, records)
            .map { event, records in
                let data =
                    switch event.content {
                    case .payloads(let payloads): payloads
                    case .records: try records.map(payload)
                    }
                return .object([
                    "event": .string(event.name), "model_name": .string(event.model.name), "data": .array(data),
                ])
            }
    }

    private func payload(of record: RespondedRecord) throws -> JSON {
        do {
            return try loaded[record.group]?.json(of: record.id, kept: KeptValues(record.values)) ?? .null
        } catch {
            throw DionysusError(
                .application,
                "\(record.group.modelName):\(record.id) can't be serialized for topic \(topic): \(error.summary)",
                underlying: error
            )
        }
    }

    /// The model and the values of the first event's first record.
    private var first: (model: ModelDescription, values: JSON.Object)? {
        guard let event = message.events.first else { return nil }
        if let record = records.first?.first { return (event.model, record.values) }
        guard case .payloads(let payloads) = event.content, case .object(let values)? = payloads.first else {
            return nil
        }
        return (event.model, values)
    }

    /// The first record, as CloudEvents name it.
    private var subject: String? {
        guard let first, let id = first.values[first.model.primaryKey], id != .null else { return nil }
        return "\(first.model.name)/\(id.anyKeyText)"
    }

    private func key() throws -> String {
        if let key = message.key { return key }
        guard let first, let id = first.values[first.model.primaryKey], id != .null else {
            throw DionysusError(
                .declaration,
                "a message to topic \(topic) begins with no record whose primary key could be its key",
                advice: "give it a key"
            )
        }
        return "\(first.model.name):\(id.anyKeyText)"
    }

    private func defaultPartitionKey(_ registry: Registry) throws -> String? {
        guard let first, let publication = registry.publication(topic: topic, modelName: first.model.name) else {
            return nil
        }
        switch publication.partitionKey {
        case .messageKey: return nil
        case .column(let name):
            guard let value = first.values[name], value != .null else { return nil }
            return value.anyKeyText
        case .computed(let key):
            guard let record = records.first?.first else { return nil }
            return try key.compute(try loaded[record.group]?.record(record.id) ?? record.record)
        }
    }
}

extension JSON {
    /// A key's text, also of what can be none.
    var anyKeyText: String { keyText ?? text }
}
