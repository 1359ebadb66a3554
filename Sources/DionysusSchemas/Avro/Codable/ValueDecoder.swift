import Dionysus
import Foundation

/// Makes a `Decodable` of a value, by the types of its schema.
struct ValueDecoder: Decoder {
    let schema: AvroSchema
    let value: AvroValue
    /// The value's own type: never a union.
    let type: Int
    let path: String
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    init(_ value: AvroValue, _ type: Int, schema: AvroSchema, path: String) {
        self.schema = schema
        self.value = value
        self.path = path
        if case .union(let branches) = schema.types[type].kind {
            self.type = branches.first { ValueWriter.fits(value, schema.types[$0], exactly: true) } ?? type
        } else {
            self.type = type
        }
    }

    var logical: AvroLogicalType? { schema.types[type].logical }

    func mismatch(_ expected: String) -> DionysusError {
        DionysusError(
            .typeMismatch,
            "\(path) holds \(logical.map { "\($0.word) of " } ?? "")\(value.kind), not \(expected)"
        )
    }

    func container<Key: CodingKey>(keyedBy keys: Key.Type) throws -> KeyedDecodingContainer<Key> {
        switch (value, schema.types[type].kind) {
        case (.record(_, let entries), .record(let record)):
            var parts: [String: ValueDecoder] = [:]
            for (entry, field) in zip(entries, record.fields) { parts[field.name] = part(entry, field.type) }
            return KeyedDecodingContainer(DecodedMembers(path: path, names: record.fields.map(\.name), parts: parts))
        case (.map(let entries), .map(let values)):
            var parts: [String: ValueDecoder] = [:]
            for entry in entries { parts[entry.name] = part(entry, values) }
            return KeyedDecodingContainer(DecodedMembers(path: path, names: entries.map(\.name), parts: parts))
        case (.fixed(_, let bytes), _) where logical == .duration && bytes.count == 12:
            let long = AvroSchema(types: [AvroType(kind: .long)], root: 0)
            let names = ["months", "days", "milliseconds"]
            let numbers = bytes.withUnsafeBytes { bytes in
                names.indices.map { UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)) }
            }
            let parts = zip(names, numbers)
                .map { ($0, ValueDecoder(.long(Int64($1)), 0, schema: long, path: "\(path).\($0)")) }
            return KeyedDecodingContainer(
                DecodedMembers(path: path, names: names, parts: Dictionary(parts) { first, _ in first })
            )
        default: throw mismatch("an object")
        }
    }

    private func part(_ entry: AvroValue.Entry, _ type: Int) -> ValueDecoder {
        ValueDecoder(entry.value, type, schema: schema, path: "\(path).\(entry.name)")
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let elements) = value, case .array(let items) = schema.types[type].kind else {
            throw mismatch("a list")
        }
        return DecodedElements(decoder: self, elements: elements, items: items)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { DecodedValue(decoder: self) }

    // MARK: Scalars

    func bool() throws -> Bool {
        guard case .boolean(let value) = value else { throw mismatch("a boolean") }
        return value
    }

    func integer<T: FixedWidthInteger>(_ integer: T.Type) throws -> T {
        let number: Int64? =
            switch value {
            case .int(let value): Int64(value)
            case .long(let value): value
            default: nil
            }
        guard let number else { throw mismatch("a whole number") }
        guard let result = T(exactly: number) else {
            throw DionysusError(.typeMismatch, "\(path) holds a number that is out of the range of \(T.self)")
        }
        return result
    }

    func double() throws -> Double {
        switch value {
        case .double(let value): return value
        case .float(let value): return Double(value)
        case .int(let value): return Double(value)
        case .long(let value): return Double(value)
        default: throw mismatch("a number")
        }
    }

    func float() throws -> Float {
        if case .float(let value) = value { return value }
        let double = try double()
        let float = Float(double)
        guard float.isFinite || !double.isFinite else { throw mismatch("a number that fits a Float") }
        return float
    }

    func string() throws -> String {
        switch value {
        case .string(let text) where logical == .json:
            if case .string(let content) = try document() { return content }
            return text
        case .string(let text), .enumeration(_, let text): return text
        default: break
        }
        // Days, times and decimals have a text.
        if logical != nil, case .string(let text) = try document() { return text }
        throw mismatch("text")
    }

    private func document() throws -> JSON {
        let own = schema.schema(at: type)
        return try AvroPlan(from: own).plainJSON(from: own.encode(value))
    }

    private func timestamp() throws -> Timestamp {
        switch (value, logical) {
        case (.long(let number), let logical?):
            if let time = LogicalValue.timestamp(number, logical) { return time }
        case (.int(let days), .date?): if let time = LogicalValue.date(days)?.midnight { return time }
        case (.string(let text), _): if let time = Timestamp(text) { return time }
        default: break
        }
        throw mismatch("a point in time")
    }

    private func date() throws -> CalendarDate {
        switch (value, logical) {
        case (.int(let days), .date?): if let date = LogicalValue.date(days) { return date }
        case (.string(let text), _): if let date = CalendarDate(text) { return date }
        default: break
        }
        throw mismatch("a day")
    }

    private func decimal() throws -> ExactDecimal {
        switch (value, logical) {
        case (.bytes(let bytes), .decimal(_, let scale)?), (.fixed(_, let bytes), .decimal(_, let scale)?):
            if let decimal = bytes.withUnsafeBytes({ LogicalValue.decimal($0, scale: scale) }) { return decimal }
        case (.int(let value), nil): return ExactDecimal(value)
        case (.long(let value), nil): return ExactDecimal(value)
        case (.string(let text), _): if let decimal = ExactDecimal(text) { return decimal }
        case (.double(let value), _): if let decimal = ExactDecimal(value) { return decimal }
        default: break
        }
        throw mismatch("a decimal number")
    }

    private func uuid() throws -> UUID {
        switch value {
        case .string(let text): if let uuid = UUID(uuidString: text) { return uuid }
        case .fixed(_, let bytes): if let uuid = bytes.withUnsafeBytes(LogicalValue.uuid) { return uuid }
        default: break
        }
        throw mismatch("a UUID")
    }

    private func data() throws -> Data {
        switch value {
        case .bytes(let bytes), .fixed(_, let bytes): return Data(bytes)
        default: throw mismatch("bytes")
        }
    }

    private func url() throws -> URL {
        guard case .string(let text) = value, let url = URL(string: text) else { throw mismatch("a URL") }
        return url
    }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        let known: Any? =
            if type == Timestamp.self {
                try timestamp()
            } else if type == Date.self {
                try timestamp().date
            } else if type == CalendarDate.self {
                try date()
            } else if type == ExactDecimal.self {
                try decimal()
            } else if type == Decimal.self {
                try decimal().decimal
            } else if type == UUID.self {
                try uuid()
            } else if type == Data.self {
                try data()
            } else if type == URL.self {
                try url()
            } else if type == JSON.self {
                try document()
            } else {
                nil
            }
        // Without the first question, nothing known would be nil to an optional type.
        if let known, let value = known as? T { return value }
        do {
            return try T(from: self)
        } catch is DecodingError {
            // It may quote the value.
            throw mismatch("what \(type) can be made of")
        }
    }
}
