import Dionysus
import DionysusSchemas

extension MessageDecoder {
    /// Reads a message with the change of a row, as Debezium writes it.
    ///
    /// A message without a value is the row's end: it follows the one that says so, or stands alone after compaction.
    func row(
        _ message: ConsumedMessage,
        _ decoding: RecordDecoding,
        _ rows: DebeziumRows,
        _ deserializer: inout Deserializer
    ) throws -> DecodedMessage {
        let key = try decoding.reader.key(message, decoding.failures, isStrict: true).map { try RowDocument($0, rows) }
        guard let value = message.value, !message.isTombstone else {
            return try ended(message, key, decoding, rows, &deserializer)
        }
        let document = try RowDocument(decoding.value(value, message.headers).json, rows)
        guard document.payload != .null else { return try ended(message, key, decoding, rows, &deserializer) }
        let change = try RowChangeMessage.reading(document, rows)
        let version = change.version.flatMap { $0 >= 0 ? $0 : nil }
        if let version { try horizon.check(version: version) }
        var events: [DecodedEvent] = []
        if var record = change.row {
            let id = try Self.identity(record, key, rows)
            if change.kind == .destroyed {
                // What else stands in the row before may be made up: Debezium fills in defaults.
                record = ["id": id]
            } else if record["id"] != id {
                record["id"] = id
            }
            events = [try event(record, change.kind, change.table, decoding, &deserializer)]
        }
        try checkTime(of: message, events)
        return DecodedMessage(message: message, version: version, events: events)
    }

    private func ended(
        _ message: ConsumedMessage,
        _ key: RowDocument?,
        _ decoding: RecordDecoding,
        _ rows: DebeziumRows,
        _ deserializer: inout Deserializer
    ) throws -> DecodedMessage {
        let record: JSON.Object = ["id": try Self.identity(nil, key, rows)]
        let events = [try event(record, .destroyed, nil, decoding, &deserializer)]
        try checkTime(of: message, events)
        return DecodedMessage(message: message, version: nil, events: events)
    }

    private func event(
        _ record: JSON.Object,
        _ change: EventName.Change,
        _ table: String?,
        _ decoding: RecordDecoding,
        _ deserializer: inout Deserializer
    ) throws -> DecodedEvent {
        let named = table.map { naming.inflection.camelized(naming.inflection.singular(of: $0)) }
        let model = try decoding.models.model(nil, named)
        return DecodedEvent(
            name: EventName(naming.inflection.underscored(model), change),
            model: model,
            records: [try deserializer.flatRecord(record, model: model, number: 0)]
        )
    }

    /// What identifies a row: the chosen column, its `id`, or the only column of its key.
    private static func identity(_ row: JSON.Object?, _ key: RowDocument?, _ rows: DebeziumRows) throws -> JSON {
        let keyRow = try key?.row()
        let name = rows.key ?? "id"
        if let id = row?[name] ?? keyRow?[name], id != .null { return id }
        if rows.key == nil {
            if let keyRow, keyRow.members.count == 1, keyRow.members[0].value != .null {
                return keyRow.members[0].value
            }
            if case .string(let text)? = key?.payload, !text.isEmpty { return .string(text) }
        }
        throw DionysusError(
            .malformed,
            "nothing in the message of a row says which row it is",
            advice: "name the column that identifies records (DebeziumRows.key), and let Debezium write keys"
        )
    }
}
