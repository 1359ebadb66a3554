import Dionysus

import struct Foundation.UUID

/// Turns values of payloads into values of columns, and cells that were read into the form in which they are written,
/// so that the two can be compared.
extension ReplicaColumn {
    /// The value that the column holds for a value on the wire.
    /// - Throws: ``DionysusError`` with code `typeMismatch`, which names the column and shows no value.
    func value(for json: JSON) throws -> DatabaseValue {
        if case .null = json { return .null }
        if case .string(let text) = json, isNull(for: text) { return .null }
        if let value = convert(json) { return value }
        throw DionysusError(
            .typeMismatch,
            "an attribute can't be stored in column \(name): it is \(json.kind), and the column's type is \(declaredType)"
        )
    }

    /// Whether a text stands for no value, as Rails takes it: an empty one, where the column holds no texts.
    private func isNull(for text: String) -> Bool {
        guard text.utf8.allSatisfy({ $0 == 0x20 || 9...13 ~= $0 }), description.isNullable, !isList else {
            return false
        }
        switch type {
        case .bool, .integer, .double, .decimal, .timestamp, .uuid: return true
        case .text where holdsTimes: return true
        case .text: return ["date", "time", "interval"].contains { declaredType.lowercased().hasPrefix($0) }
        case .json, .bytes: return false
        }
    }

    /// A time as the column keeps it: PostgreSQL rounds to the digits that a type like `timestamp(3)` has.
    func stored(_ time: Timestamp) -> Timestamp {
        guard timestampUnit > 1 else { return time }
        if cutsTimesOff { return time.floored(to: timestampUnit) }
        // It rounds half away from the beginning of the year 2000, where its count of microseconds begins.
        let start: Int64 = 946_684_800_000_000
        let (distance, overflows) = time.microseconds.subtractingReportingOverflow(start)
        let half = timestampUnit / 2
        // So far away, no column holds it.
        guard !overflows, distance < .max - half else { return time }
        let rounded = (distance + (distance < 0 ? -half : half)) / timestampUnit * timestampUnit
        return Timestamp(microseconds: start + rounded)
    }

    private func convert(_ json: JSON) -> DatabaseValue? {
        switch type {
        case .bool: bool(json)
        case .integer: integer(json)
        case .double: number(json).flatMap(Double.init).flatMap { $0.isFinite ? .double($0) : nil }
        case .decimal: number(json).flatMap { ExactDecimal($0) }.map(DatabaseValue.decimal)
        case .text: text(json)
        case .timestamp: string(json).flatMap { Timestamp($0) }.map { .timestamp(stored($0)) }
        case .uuid: string(json).flatMap(UUID.init(uuidString:)).map(DatabaseValue.uuid)
        case .json: .json(json.text)
        // No base64 has a UUID's dashes.
        case .bytes:
            string(json).flatMap { [UInt8](base64: $0) ?? UUID(uuidString: $0)?.bytes }.map(DatabaseValue.bytes)
        }
    }

    private func bool(_ json: JSON) -> DatabaseValue? {
        switch json {
        case .bool(let value): .bool(value)
        case .integer(0), .string("false"): .bool(false)
        case .integer(1), .string("true"): .bool(true)
        default: nil
        }
    }

    private func integer(_ json: JSON) -> DatabaseValue? {
        switch json {
        case .integer(let value): .integer(value)
        case .string(let text): Int64(text).map(DatabaseValue.integer)
        case .number(let digits): ExactDecimal(digits)?.wholeNumber.map(DatabaseValue.integer)
        default: nil
        }
    }

    private func text(_ json: JSON) -> DatabaseValue? {
        switch json {
        case .array(let elements) where isList: list(elements)
        case _ where isList: nil
        case .string(let text): .text(holdsTimes ? Self.standardTime(text) : text)
        default: .text(json.text)
        }
    }

    /// A time as every reader of the column takes it; what is none, as it is.
    private static func standardTime(_ text: String) -> String {
        text.utf8.contains(UInt8(ascii: "T")) && !text.hasSuffix("UTC") ? text : Timestamp(text)?.description ?? text
    }

    /// A list, whose elements are written as the type's text has them.
    private func list(_ elements: [JSON]) -> DatabaseValue? {
        guard description.listElements == .bytes else { return .text(ArrayLiteral.text(of: elements)) }
        var lists: [[UInt8]?] = []
        for element in elements {
            guard element != .null else {
                lists.append(nil)
                continue
            }
            guard let bytes = string(element).flatMap({ [UInt8](base64: $0) }) else { return nil }
            lists.append(bytes)
        }
        return .text(ArrayLiteral.text(of: lists))
    }

    private func string(_ json: JSON) -> String? { if case .string(let text) = json { text } else { nil } }

    private func number(_ json: JSON) -> String? {
        switch json {
        case .integer(let value): String(value)
        case .number(let digits): digits
        case .string(let text): text
        default: nil
        }
    }

    /// A cell in the form in which it would be written.
    ///
    /// A database without such types keeps some values as others.
    func normalized(_ cell: DatabaseValue) -> DatabaseValue {
        switch (type, cell) {
        case (.bool, .integer(let value)): .bool(value != 0)
        case (.double, .integer(let value)): .double(Double(value))
        case (.decimal, .integer(let value)): .decimal(ExactDecimal(value))
        case (.decimal, .double(let value)): ExactDecimal(value).map(DatabaseValue.decimal) ?? cell
        case (.decimal, .text(let text)): ExactDecimal(text).map(DatabaseValue.decimal) ?? cell
        case (.timestamp, .text(let text)): Timestamp(text).map(DatabaseValue.timestamp) ?? cell
        case (.uuid, .text(let text)): UUID(uuidString: text).map(DatabaseValue.uuid) ?? cell
        case (.json, .text(let text)): .json(text)
        case (.text, .array(_, let values)): .text(ArrayLiteral.text(of: values.map(JSON.init(databaseValue:))))
        case (.text, .text(let text)) where isList:
            ArrayLiteral.elements(of: text).map { .text(ArrayLiteral.text(of: $0)) } ?? cell
        default: cell
        }
    }
}

/// The times of a payload as the replica keeps them.
extension ReplicaTable {
    func creationTime(of payload: RecordPayload) -> Timestamp? {
        payload.createdAt.map { createdAt?.stored($0) ?? $0 }
    }

    func updateTime(of payload: RecordPayload) -> Timestamp? {
        payload.updatedAt.map { updatedAt?.stored($0) ?? $0 }
    }

    /// How finely the column tells times apart that says when a record was in this state, in microseconds.
    func timeUnit(of payload: RecordPayload) -> Int64 {
        (payload.updatedAt == nil ? createdAt : updatedAt)?.timestampUnit ?? 1
    }
}
