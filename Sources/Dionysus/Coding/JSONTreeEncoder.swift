import struct Foundation.Data
import struct Foundation.Date
import struct Foundation.Decimal
import struct Foundation.URL
import struct Foundation.UUID

/// Encodes any `Encodable` as a JSON value.
///
/// Members keep their order, and nil is written as null. A decimal number is a string as an attribute, and a number
/// with all of its digits inside a document.
package struct JSONTreeEncoder {
    /// The number of fractional digits of times, from 0 to 6.
    package var fractionDigits: Int
    /// Whether numbers and text are written in Rails' format.
    package let writesAsRails: Bool
    /// Whether the value is part of an object.
    private var isWithinObject = false

    package init(fractionDigits: Int = 6, writesAsRails: Bool = false) {
        self.fractionDigits = fractionDigits
        self.writesAsRails = writesAsRails
    }

    /// The text of a decimal attribute.
    package func text(of decimal: ExactDecimal) -> String {
        writesAsRails ? decimal.bigDecimalText : decimal.description
    }

    /// The JSON to send.
    package func finished(_ json: [UInt8]) -> [UInt8] { writesAsRails ? RailsJSON.escaped(json) : json }

    /// Encodes an attribute's value.
    package func encode<T: Encodable>(_ value: T) throws -> JSON {
        if let scalar = try scalar(value) { return scalar }
        let storage = TreeStorage()
        try value.encode(to: TreeEncoder(storage: storage, options: self, members: withinObject))
        return storage.json
    }

    /// Encodes a record, whose members are attributes.
    package func encode(record: some Encodable) throws -> JSON {
        do {
            let storage = TreeStorage()
            try record.encode(to: TreeEncoder(storage: storage, options: self, members: self))
            return storage.json
        } catch let error as Unwritable {
            throw error.error
        }
    }

    /// An encoder whose result is ignored.
    var throwaway: any Encoder { TreeEncoder(storage: TreeStorage(), options: self, members: self) }

    private var withinObject: JSONTreeEncoder {
        var encoder = self
        encoder.isWithinObject = true
        return encoder
    }

    private func decimal(_ digits: String) throws -> JSON {
        guard digits != "NaN" else { throw Unwritable(kind: "NaN") }
        if isWithinObject { return .number(digits) }
        return .string(writesAsRails ? ExactDecimal(digits)?.bigDecimalText ?? digits : digits)
    }

    /// The digits of a binary number.
    package func digits<Value: BinaryFloatingPoint & LosslessStringConvertible>(of value: Value) -> String {
        writesAsRails ? RailsJSON.digits(of: value.description) : value.description
    }

    private func time(_ date: Date) throws -> Timestamp {
        guard let time = Timestamp(exactly: date) else { throw Unwritable(kind: "a date that lies too far away") }
        return time
    }

    /// Encodes types that have a special form on the wire.
    ///
    /// Types are compared before casting, because a failing cast is much more expensive.
    private func scalar<T: Encodable>(_ value: T) throws -> JSON? {
        if T.self == Timestamp.self, let time = value as? Timestamp {
            return .string(time.iso8601(fractionDigits: fractionDigits))
        }
        if T.self == ExactDecimal.self, let value = value as? ExactDecimal { return try decimal(value.description) }
        if T.self == Date.self, let date = value as? Date {
            return .string(try time(date).iso8601(fractionDigits: fractionDigits))
        }
        if T.self == UUID.self, let uuid = value as? UUID { return .string(uuid.uuidString.lowercased()) }
        if T.self == Decimal.self, let value = value as? Decimal { return try decimal("\(value)") }
        if T.self == Data.self, let data = value as? Data { return .string(data.base64EncodedString()) }
        if T.self == URL.self, let url = value as? URL { return .string(url.absoluteString) }
        if T.self == CalendarDate.self, let date = value as? CalendarDate { return .string(date.description) }
        if T.self == JSON.self, let document = value as? JSON { return document }
        return nil
    }
}

extension JSONWriter {
    /// Writes a value of one of the most common types with a special form on the wire.
    /// - Returns: Whether the value has one of these types.
    mutating func write<T: Encodable>(scalar value: T, _ options: JSONTreeEncoder) throws -> Bool {
        if T.self == Timestamp.self, let time = value as? Timestamp {
            write(time, fractionDigits: options.fractionDigits)
            return true
        }
        if T.self == ExactDecimal.self, let decimal = value as? ExactDecimal {
            guard decimal.isNumber else { throw Unwritable(kind: "NaN") }
            write(decimal, options)
            return true
        }
        if T.self == Int.self, let integer = value as? Int {
            write(Int64(integer))
            return true
        }
        if T.self == String.self, let text = value as? String {
            write(text)
            return true
        }
        return false
    }
}

extension JSONWriter {
    /// Writes a decimal number as a string.
    mutating func write(_ decimal: ExactDecimal, _ options: JSONTreeEncoder) {
        if options.writesAsRails { write(decimal.bigDecimalText) } else { write(decimal) }
    }
}

/// A value that JSON can't represent, and its path.
struct Unwritable: Error {
    let kind: String
    var path: [String] = []

    init(kind: String) { self.kind = kind }

    init?(_ value: some BinaryFloatingPoint) {
        if value.isFinite { return nil }
        kind = value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity"
    }

    func within(_ name: String) -> Unwritable {
        var error = self
        error.path.insert(name, at: 0)
        return error
    }

    var error: DionysusError {
        let place = path.isEmpty ? "a value" : "the attribute \(path.joined(separator: "."))"
        return DionysusError(
            .typeMismatch,
            "\(place) is \(kind), which JSON can't express",
            advice: "make it null, or publish it as text"
        )
    }
}
