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
    private let elements: [DatabaseValue]
    private let elementType: UInt32
    private let hasNulls: Bool
    /// How many bytes it takes, at most.
    let capacity: Int

    /// - Returns: nil where an element is none of the type, which only text can express, and for JSON.
    init?(_ elements: [DatabaseValue], of type: DatabaseType) {
        guard let elementType = Self.elementType(type) else { return nil }
        var hasNulls = false
        var capacity = elements.isEmpty ? 12 : 20
        for element in elements {
            guard let size = Self.length(of: element, type) else { return nil }
            hasNulls = hasNulls || element.isNull
            capacity += 4 + size
        }
        self.elements = elements
        self.elementType = elementType
        self.hasNulls = hasNulls
        self.capacity = capacity
    }

    /// Writes it into memory that has room for it.
    /// - Returns: The number of bytes.
    /// - Throws: ``DionysusError`` with code `typeMismatch` for text with a zero byte.
    func write(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        var writer = Writer(buffer: buffer)
        writer.append(Int32(elements.isEmpty ? 0 : 1))
        writer.append(Int32(hasNulls ? 1 : 0))
        writer.append(elementType)
        if !elements.isEmpty {
            writer.append(Int32(truncatingIfNeeded: elements.count))
            writer.append(Int32(1))
        }
        for element in elements { try writer.append(element) }
        return writer.count
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

    /// How many bytes an element takes, at most; nil if it is none of the type.
    private static func length(of element: DatabaseValue, _ type: DatabaseType) -> Int? {
        switch (type, element) {
        case (_, .null): 0
        case (.bool, .bool): 1
        case (.integer, .integer), (.double, .double): 8
        // Up to 38 digits, which are aligned at the decimal point, make no more than twelve to the base of 10,000.
        case (.decimal, .decimal(let value)):
            (0..<0x4000).contains(value.scale) && value.isNumber ? 8 + 2 * (12 + (value.scale + 3) / 4) : nil
        case (.text, .text(let text)), (.text, .json(let text)): text.utf8.count
        case (.timestamp, .timestamp(let value)): sinceEpoch(value) == nil ? nil : 8
        case (.uuid, .uuid): 16
        case (.bytes, .bytes(let value)): value.count
        default: nil
        }
    }

    /// Microseconds since the beginning of the year 2000; the ends of the range mean infinity.
    private static func sinceEpoch(_ time: Timestamp) -> Int64? {
        let (value, overflows) = time.microseconds.subtractingReportingOverflow(946_684_800_000_000)
        return overflows || value == .min || value == .max ? nil : value
    }

    /// Writes elements into memory that has room for them.
    private struct Writer {
        let buffer: UnsafeMutableRawBufferPointer
        private(set) var count = 0

        init(buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

        /// Appends an element after its length.
        mutating func append(_ element: DatabaseValue) throws {
            switch element {
            case .null, .array: append(Int32(-1))
            case .bool(let value):
                append(Int32(1))
                append(UInt8(value ? 1 : 0))
            case .integer(let value):
                append(Int32(8))
                append(value)
            case .double(let value):
                append(Int32(8))
                append(value.bitPattern)
            case .decimal(let value): append(value)
            case .text(var text), .json(var text):
                try text.withUTF8 { utf8 in
                    let bytes = UnsafeRawBufferPointer(utf8)
                    if let start = bytes.baseAddress, memchr(start, 0, bytes.count) != nil { throw Parameter.zeroByte }
                    append(sized: bytes)
                }
            case .timestamp(let value):
                append(Int32(8))
                append(BinaryList.sinceEpoch(value) ?? 0)
            case .uuid(let value): withUnsafeBytes(of: value.uuid) { append(sized: $0) }
            case .bytes(let value): value.withUnsafeBytes { append(sized: $0) }
            }
        }

        mutating func append(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.bigEndian) { append($0) }
        }

        private mutating func append(sized bytes: UnsafeRawBufferPointer) {
            append(Int32(truncatingIfNeeded: bytes.count))
            append(bytes)
        }

        private mutating func append(_ bytes: UnsafeRawBufferPointer) {
            UnsafeMutableRawBufferPointer(rebasing: buffer[count..<(count + bytes.count)]).copyMemory(from: bytes)
            count += bytes.count
        }

        private mutating func append(_ number: ExactDecimal) {
            let magnitude = number.unscaled.magnitude
            let digits =
                if let small = UInt64(exactly: magnitude) {
                    BinaryList.digits(of: small, scale: number.scale)
                } else {
                    BinaryList.digits(of: magnitude, scale: number.scale)
                }
            append(Int32(truncatingIfNeeded: 8 + 2 * digits.count))
            append(Int16(truncatingIfNeeded: digits.count))
            append(Int16(truncatingIfNeeded: digits.count - (number.scale + 3) / 4 - 1))
            append(UInt16(number.unscaled < 0 ? 0x4000 : 0))
            append(Int16(truncatingIfNeeded: number.scale))
            for digit in digits.reversed() { append(digit) }
        }
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
}
