/// Writes Protocol Buffers, as far as OTLP needs them.
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    /// A field of text; nothing for an empty one.
    mutating func text(_ field: UInt64, _ text: String) {
        if !text.isEmpty { present(field, text) }
    }

    /// A field of text, an empty one as well.
    mutating func present(_ field: UInt64, _ text: String) {
        tag(field, 2)
        varint(UInt64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    /// A field of a number; nothing for zero.
    mutating func number(_ field: UInt64, _ number: Int) {
        guard number != 0 else { return }
        present(field, Int64(number))
    }

    /// A field of a number, zero as well.
    mutating func present(_ field: UInt64, _ number: Int64) {
        tag(field, 0)
        varint(UInt64(bitPattern: number))
    }

    /// A field of eight bytes.
    mutating func fixed(_ field: UInt64, _ number: UInt64) {
        tag(field, 1)
        little(number, 8)
    }

    /// A field of four bytes.
    mutating func fixed32(_ field: UInt64, _ number: UInt32) {
        tag(field, 5)
        little(UInt64(number), 4)
    }

    /// A field of a fraction.
    mutating func double(_ field: UInt64, _ number: Double) { fixed(field, number.bitPattern) }

    /// A field of bytes in the order in which numbers are read.
    mutating func big(_ field: UInt64, _ numbers: UInt64...) {
        tag(field, 2)
        varint(UInt64(numbers.count * 8))
        for number in numbers { little(number.byteSwapped, 8) }
    }

    /// A field of several numbers of eight bytes.
    mutating func packed(_ field: UInt64, _ numbers: [UInt64]) {
        guard !numbers.isEmpty else { return }
        tag(field, 2)
        varint(UInt64(numbers.count * 8))
        for number in numbers { little(number, 8) }
    }

    /// A field that is a message.
    mutating func message(_ field: UInt64, _ write: (inout ProtobufWriter) -> Void) {
        var inner = ProtobufWriter()
        write(&inner)
        tag(field, 2)
        varint(UInt64(inner.bytes.count))
        bytes.append(contentsOf: inner.bytes)
    }

    private mutating func tag(_ field: UInt64, _ type: UInt64) { varint(field << 3 | type) }

    private mutating func varint(_ number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private mutating func little(_ number: UInt64, _ count: Int) {
        for place in 0..<count { bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * place))) }
    }
}
