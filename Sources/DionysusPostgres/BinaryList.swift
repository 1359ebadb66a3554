import Dionysus

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A list in the server's binary form, which costs both sides a fraction of what text does.
struct BinaryList {
    private(set) var bytes: [UInt8] = []

    /// - Returns: nil where an element is none of the type, which only text can express, and for JSON.
    /// - Throws: ``DionysusError`` with code `typeMismatch` for text with a zero byte.
    init?(_ elements: [DatabaseValue], of type: DatabaseType) throws {
        guard let elementType = Self.elementType(type) else { return nil }
        bytes.reserveCapacity(20 + elements.count * 16)
        append(Int32(elements.isEmpty ? 0 : 1))
        let hasNulls = elements.contains(where: \.isNull)
        append(Int32(hasNulls ? 1 : 0))
        append(elementType)
        guard !elements.isEmpty else { return }
        append(Int32(truncatingIfNeeded: elements.count))
        append(Int32(1))
        for element in elements {
            guard try append(element, type) else { return nil }
        }
    }

    private static func elementType(_ type: DatabaseType) -> UInt32? {
        switch type {
        case .bool: 16
        case .integer: 20
        case .double: 701
        case .decimal: 1_700
        case .text: 25
        case .timestamp: 1_184
        case .uuid: 2_950
        case .bytes: 17
        case .json: nil
        }
    }

    /// Appends an element after its length.
    /// - Returns: Whether the element is one of the type.
    private mutating func append(_ element: DatabaseValue, _ type: DatabaseType) throws -> Bool {
        switch (type, element) {
        case (_, .null): append(Int32(-1))
        case (.bool, .bool(let value)):
            append(Int32(1))
            bytes.append(value ? 1 : 0)
        case (.integer, .integer(let value)):
            append(Int32(8))
            append(value)
        case (.double, .double(let value)):
            append(Int32(8))
            append(value.bitPattern)
        case (.decimal, .decimal(let value)): return append(value)
        case (.text, .text(let text)), (.text, .json(let text)):
            append(Int32(truncatingIfNeeded: text.utf8.count))
            let start = bytes.count
            bytes.append(contentsOf: text.utf8)
            if hasZero(from: start) { throw Parameter.zeroByte }
        case (.timestamp, .timestamp(let value)): return append(value)
        case (.uuid, .uuid(let value)):
            append(Int32(16))
            withUnsafeBytes(of: value.uuid) { bytes.append(contentsOf: $0) }
        case (.bytes, .bytes(let value)):
            append(Int32(truncatingIfNeeded: value.count))
            bytes.append(contentsOf: value)
        default: return false
        }
        return true
    }

    /// Microseconds since the beginning of the year 2000; the ends of the range mean infinity.
    private mutating func append(_ time: Timestamp) -> Bool {
        let (value, overflows) = time.microseconds.subtractingReportingOverflow(946_684_800_000_000)
        guard !overflows, value != .min, value != .max else { return false }
        append(Int32(8))
        append(value)
        return true
    }

    private mutating func append(_ number: ExactDecimal) -> Bool {
        guard (0..<0x4000).contains(number.scale) else { return false }
        let magnitude = number.unscaled.magnitude
        let digits =
            if let small = UInt64(exactly: magnitude) {
                Self.digits(of: small, scale: number.scale)
            } else {
                Self.digits(of: magnitude, scale: number.scale)
            }
        append(Int32(truncatingIfNeeded: 8 + 2 * digits.count))
        append(Int16(truncatingIfNeeded: digits.count))
        append(Int16(truncatingIfNeeded: digits.count - (number.scale + 3) / 4 - 1))
        append(UInt16(number.unscaled < 0 ? 0x4000 : 0))
        append(Int16(truncatingIfNeeded: number.scale))
        for digit in digits.reversed() { append(digit) }
        return true
    }

    /// Digits to the base of 10,000 that are aligned at the decimal point, the lowest first.
    private static func digits<Number: FixedWidthInteger & UnsignedInteger>(
        of magnitude: Number,
        scale: Int
    ) -> [Int16] {
        var digits: [Int16] = []
        var rest = magnitude
        if scale % 4 > 0 {
            // The fraction's last digit to that base is cut short.
            let unit: Number = [10, 100, 1_000][scale % 4 - 1]
            digits.append(Int16(truncatingIfNeeded: rest % unit * (10_000 / unit)))
            rest /= unit
        }
        while rest > 0 || digits.count < (scale + 3) / 4 {
            digits.append(Int16(truncatingIfNeeded: rest % 10_000))
            rest /= 10_000
        }
        return digits
    }

    private func hasZero(from start: Int) -> Bool {
        bytes.withUnsafeBytes { bytes in
            let text = UnsafeRawBufferPointer(rebasing: bytes[start...])
            return text.baseAddress.map { memchr($0, 0, text.count) != nil } ?? false
        }
    }

    private mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
