import Dionysus
import DionysusSchemas

/// A value or a key as Kafka Connect writes it in JSON: with its schema beside it, or without one.
struct RowDocument {
    let payload: JSON
    private let schema: JSON?
    private let rows: DebeziumRows

    init(_ json: JSON, _ rows: DebeziumRows) throws {
        self.rows = rows
        guard case .object(let object) = json, object.members.count == 2, let schema = object["schema"],
            let payload = object["payload"], schema == .null || schema["type"] != nil
        else {
            (payload, schema) = (json, nil)
            return
        }
        self.payload = payload
        self.schema = schema
    }

    /// A member of the payload as a row, with the names and types that records have.
    /// - Parameter member: The member's name; nil for the payload itself.
    /// - Returns: Nil for null.
    func row(_ member: String? = nil) throws -> JSON.Object? {
        let json = member.map { payload[$0] ?? .null } ?? payload
        guard case .object(let object) = json else {
            if json == .null { return nil }
            // A key may be a single value.
            if member == nil { return nil }
            throw DionysusError(.malformed, "the row of a message is not an object")
        }
        let types = schema.map { ConnectType.fields(of: member.map { ConnectType.field($0, of: schema) } ?? $0) }
        return JSON.Object(
            try object.members.compactMap { column in
                guard !isUnavailable(column.value) else { return nil }
                let type = types?[column.name] ?? rows.columns[column.name].map(ConnectType.column)
                return JSON.Object.Member(
                    column.name,
                    try type?.value(column.value, column.name.inMessage) ?? column.value
                )
            }
        )
    }

    /// Whether Debezium doesn't know the value, because the source's log doesn't have it.
    private func isUnavailable(_ value: JSON) -> Bool {
        switch value {
        case .string(let text):
            text == rows.unavailableValue || text == Array(rows.unavailableValue.utf8).base64Encoded
        case .array(let elements): elements.count == 1 && isUnavailable(elements[0])
        default: false
        }
    }
}

/// What a message says of a row: Debezium's own form, or the row alone.
struct RowChangeMessage {
    let kind: EventName.Change
    /// The row as it is now, or as it was if it is gone; nil for what is no change of a row.
    let row: JSON.Object?
    /// How recent it is, if the message says so.
    let version: Int64?
    /// The table, if the message says so.
    let table: String?

    /// Reads a value in either form.
    /// - Throws: ``DionysusError`` with code `malformed` for what is neither.
    static func reading(_ document: RowDocument, _ rows: DebeziumRows) throws -> RowChangeMessage {
        guard case .object(let payload) = document.payload else {
            throw DionysusError(.malformed, "the value is neither the change of a row nor a row")
        }
        guard case .string(let operation)? = payload["op"], case .object(let source)? = payload["source"] else {
            guard payload["before"] == nil || payload["after"] == nil else {
                throw DionysusError(
                    .malformed,
                    "the change of a row says neither what was done nor where it comes from"
                )
            }
            return try RowChangeMessage(flat: document, rows)
        }
        return try RowChangeMessage(operation, source, document, rows)
    }

    private init(
        _ operation: String,
        _ source: JSON.Object,
        _ document: RowDocument,
        _ rows: DebeziumRows
    ) throws {
        table = source.text("table")
        version = rows.order.version(source, isSnapshot: operation == "r")
        switch operation {
        case "c", "r":
            (kind, row) = (.created, try document.row("after"))
        case "u":
            (kind, row) = (.updated, try document.row("after"))
        case "d":
            (kind, row) = (.destroyed, try document.row("before") ?? JSON.Object())
        case "m":
            (kind, row) = (.updated, nil)
            return
        case "t":
            throw DionysusError(
                .malformed,
                "the table was truncated at its source, and the replica still has its records",
                advice:
                    "remove them, and drop this message; Debezium leaves such messages out with skipped.operations=t"
            )
        default: throw DionysusError(.malformed, "the operation of a change is none that Debezium has")
        }
        if row == nil { throw DionysusError(.malformed, "the change of a row has no row after it") }
    }

    /// A message that Debezium has flattened to the row, with what it knows beside it under names with two underscores.
    private init(flat document: RowDocument, _ rows: DebeziumRows) throws {
        guard var row = try document.row() else { throw DionysusError(.malformed, "the value is not a row") }
        let facts = row
        row.members.removeAll { $0.name.hasPrefix("__") }
        let mark = facts[RecordDeletion.field]
        let operation = facts.text("__op")
        if mark == .bool(true) || mark == .string("true") || operation == "d" {
            kind = .destroyed
        } else {
            kind = operation == "u" ? .updated : .created
        }
        self.row = row
        table = facts.text("__table") ?? facts.text("__source_table")
        let source = JSON.Object(
            facts.members.compactMap { member in
                let prefix = ["__source_", "__"].first { member.name.hasPrefix($0) }
                return prefix.map { JSON.Object.Member(String(member.name.dropFirst($0.count)), member.value) }
            }
        )
        version = rows.order.version(source, isSnapshot: operation == "r")
    }
}

extension DebeziumOrder {
    /// How recent a change is.
    /// - Parameter isSnapshot: Whether it is a row of a snapshot, whose time says nothing.
    fileprivate func version(_ source: JSON.Object, isSnapshot: Bool) -> Int64? {
        switch self {
        case .none: nil
        case .time: source.time
        case .position: source.position ?? (isSnapshot ? nil : source.time)
        }
    }
}

extension JSON.Object {
    fileprivate func text(_ name: String) -> String? {
        guard case .string(let text)? = self[name] else { return nil }
        return text
    }

    private func number(_ name: String) -> Int64? {
        switch self[name] {
        case .integer(let number)?: number
        case .string(let text)?: Int64(text)
        default: nil
        }
    }

    /// The time of the change in microseconds.
    fileprivate var time: Int64? {
        if let micros = number("ts_us") { return micros }
        guard let millis = number("ts_ms") else { return nil }
        let (micros, overflows) = millis.multipliedReportingOverflow(by: 1_000)
        return overflows ? nil : micros
    }

    /// The place of the change in its source's log.
    fileprivate var position: Int64? {
        if let place = number("lsn") ?? number("scn") { return place }
        // MySQL: the number at the end of the file's name, and the place in the file.
        guard let file = text("file"), let place = number("pos"), (0..<1 << 32).contains(place),
            let number = Int64(String(file.reversed().prefix { $0.isASCII && $0.isNumber }.reversed())),
            number < 1 << 30
        else { return nil }
        return number << 32 | place
    }
}
