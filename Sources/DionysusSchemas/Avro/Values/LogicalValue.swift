import Dionysus
import Foundation

/// What numbers and bytes mean by a logical type, both ways.
enum LogicalValue {
    /// Microseconds of a logical type that counts points in time; nil for what they don't count.
    static func timestamp(_ value: Int64, _ logical: AvroLogicalType) -> Timestamp? {
        switch logical {
        case .timestampMillis, .localTimestampMillis:
            let (product, overflows) = value.multipliedReportingOverflow(by: 1_000)
            return overflows ? nil : Timestamp(microseconds: product)
        case .timestampMicros, .localTimestampMicros: return Timestamp(microseconds: value)
        case .timestampNanos, .localTimestampNanos:
            let quotient = value / 1_000
            return Timestamp(microseconds: value % 1_000 < 0 ? quotient - 1 : quotient)
        default: return nil
        }
    }

    /// The number of a point in time; what is finer than the logical type is cut off, toward the past.
    static func number(_ time: Timestamp, _ logical: AvroLogicalType) -> Int64? {
        switch logical {
        case .timestampMillis, .localTimestampMillis:
            let quotient = time.microseconds / 1_000
            return time.microseconds % 1_000 < 0 ? quotient - 1 : quotient
        case .timestampMicros, .localTimestampMicros: return time.microseconds
        case .timestampNanos, .localTimestampNanos:
            let (product, overflows) = time.microseconds.multipliedReportingOverflow(by: 1_000)
            return overflows ? nil : product
        default: return nil
        }
    }

    /// The nanoseconds of a point in time in ISO 8601, of which ``Timestamp`` has the microseconds; nil for what they don't count.
    static func nanoseconds(_ text: String) -> Int64? {
        guard let number = Timestamp(text).flatMap({ number($0, .timestampNanos) }) else { return nil }
        let fraction = text.utf8.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == 46 || $0 == 44 }
            .dropFirst().first?
            .prefix { (48..<58).contains($0) }
        let finer = (fraction ?? "".utf8[...]).dropFirst(6).prefix(3)
        let digits = String(decoding: finer, as: UTF8.self) + String(repeating: "0", count: 3 - finer.count)
        let (sum, overflows) = number.addingReportingOverflow(Int64(digits) ?? 0)
        return overflows ? nil : sum
    }

    private static let microsecondsOfDay: Int64 = 86_400_000_000

    /// A day; nil for one that ``CalendarDate`` doesn't have.
    static func date(_ days: Int32) -> CalendarDate? {
        let (time, overflows) = Int64(days).multipliedReportingOverflow(by: microsecondsOfDay)
        return overflows ? nil : CalendarDate(Timestamp(microseconds: time))
    }

    static func days(_ date: CalendarDate) -> Int32? {
        date.midnight.flatMap { Int32(exactly: $0.microseconds / microsecondsOfDay) }
    }

    /// A decimal number from its digits as bytes, the most significant first; nil for one of more than 38 digits.
    static func decimal(_ bytes: UnsafeRawBufferPointer, scale: Int) -> ExactDecimal? {
        guard let first = bytes.first else { return nil }
        let isNegative = first >= 0x80
        // Bytes that only continue the sign may be as many as the writer likes.
        var start = 0
        while start < bytes.count - 16, bytes[start] == (isNegative ? 0xff : 0) { start += 1 }
        guard bytes.count - start <= 16, start == 0 || (bytes[start] >= 0x80) == isNegative else { return nil }
        var value: Int128 = isNegative ? -1 : 0
        for byte in bytes[start...] { value = value << 8 | Int128(byte) }
        let decimal = ExactDecimal(unscaled: value, scale: scale)
        return decimal.isNumber && decimal.unscaled == value && decimal.scale == scale ? decimal : nil
    }

    /// The digits of a decimal number with a scale, in as few bytes as hold them.
    static func bytes(_ decimal: ExactDecimal, precision: Int, scale: Int) throws(AvroFault) -> [UInt8] {
        guard decimal.isNumber else { throw AvroFault("NaN is no decimal number") }
        var value = decimal.unscaled
        var places = decimal.scale
        while places > scale {
            guard value % 10 == 0 else {
                throw AvroFault("the number has more than the \(scale) digits behind the point that the schema allows")
            }
            value /= 10
            places -= 1
        }
        while places < scale, value != 0 {
            let (product, overflows) = value.multipliedReportingOverflow(by: 10)
            guard !overflows else {
                throw AvroFault("the number has more digits than can be written with \(scale) behind the point")
            }
            value = product
            places += 1
        }
        var digits = 0
        var rest = value.magnitude
        while rest > 0 {
            rest /= 10
            digits += 1
        }
        guard digits <= precision else {
            throw AvroFault("the number has more than the \(precision) digits that the schema allows")
        }
        var bytes = withUnsafeBytes(of: value.bigEndian) { Array($0) }
        let sign: UInt8 = value < 0 ? 0xff : 0
        let extra = bytes.indices.prefix { $0 < 15 && bytes[$0] == sign && (bytes[$0 + 1] >= 0x80) == (value < 0) }
            .count
        bytes.removeFirst(extra)
        return bytes
    }

    static func uuid(_ bytes: UnsafeRawBufferPointer) -> UUID? {
        guard bytes.count == 16 else { return nil }
        return UUID(uuid: bytes.loadUnaligned(as: uuid_t.self))
    }

    /// The time of a day as ISO 8601 has it, from microseconds; nil for what no day has.
    static func timeOfDay(_ microseconds: Int64, digits: Int) -> String? {
        guard (0..<microsecondsOfDay).contains(microseconds) else { return nil }
        let text = Timestamp(microseconds: microseconds).iso8601(fractionDigits: digits)
        return String(text.dropFirst(11).dropLast())
    }

    /// The microseconds since midnight of `14:02:36.28`.
    static func timeOfDay(_ text: String) -> Int64? {
        guard text.utf8.allSatisfy({ (48..<58).contains($0) || $0 == 58 || $0 == 46 }),
            let time = Timestamp("1970-01-01T\(text)"), (0..<microsecondsOfDay).contains(time.microseconds)
        else { return nil }
        return time.microseconds
    }

    /// ISO 8601 of a point in time, with a `Z` unless it is local; nil for one that has no such text.
    static func text(_ value: Int64, _ logical: AvroLogicalType) -> String? {
        guard let time = timestamp(value, logical) else { return nil }
        var text: String
        switch logical {
        case .timestampMillis, .localTimestampMillis: text = time.iso8601(fractionDigits: 3)
        case .timestampNanos, .localTimestampNanos:
            let rest = value - time.microseconds * 1_000
            text = "\(time.iso8601().dropLast())\(String(1_000 + rest).dropFirst())Z"
        default: text = time.iso8601()
        }
        switch logical {
        case .localTimestampMillis, .localTimestampMicros, .localTimestampNanos: text.removeLast()
        default: break
        }
        return text
    }
}
