/// Appends Avro's binary encoding to a byte buffer that is used again and again.
///
/// It knows no schema: who calls it writes the parts of a datum in the order of the schema's fields, without a tree between.
/// A record is its fields, one after another. A union is ``index(_:)`` of the branch and the branch's data. An array or a map is
/// ``blockCount(_:)`` of its elements, the elements (of a map each behind its key, a ``string(_:)``), and, unless there were
/// none, ``blockCount(_:)`` of zero.
@_spi(AvroDirect) public struct AvroWriter: Sendable {
    @usableFromInline var buffer: [UInt8] = []

    /// What has been written.
    @inlinable public var bytes: [UInt8] { buffer }

    @inlinable public init(capacity: Int = 0) { buffer.reserveCapacity(capacity) }

    /// Forgets what was written and keeps the memory.
    @inlinable public mutating func reset() { buffer.removeAll(keepingCapacity: true) }

    /// Forgets what was written behind a length.
    @inlinable public mutating func truncate(to count: Int) { buffer.removeLast(buffer.count - count) }

    @inlinable public mutating func boolean(_ value: Bool) { buffer.append(value ? 1 : 0) }

    @inlinable public mutating func int(_ value: Int32) { long(Int64(value)) }

    @inlinable public mutating func long(_ value: Int64) {
        var rest = UInt64(bitPattern: (value << 1) ^ (value >> 63))
        while rest >= 0x80 {
            buffer.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        buffer.append(UInt8(truncatingIfNeeded: rest))
    }

    @inlinable public mutating func float(_ value: Float) {
        withUnsafeBytes(of: value.bitPattern.littleEndian) { buffer.append(contentsOf: $0) }
    }

    @inlinable public mutating func double(_ value: Double) {
        withUnsafeBytes(of: value.bitPattern.littleEndian) { buffer.append(contentsOf: $0) }
    }

    @inlinable public mutating func string(_ value: String) {
        var value = value
        value.withUTF8 { utf8 in
            long(Int64(utf8.count))
            buffer.append(contentsOf: utf8)
        }
    }

    @inlinable public mutating func bytes(_ value: some Collection<UInt8>) {
        long(Int64(value.count))
        buffer.append(contentsOf: value)
    }

    /// Writes bytes whose number the schema has.
    @inlinable public mutating func fixed(_ value: some Collection<UInt8>) { buffer.append(contentsOf: value) }

    /// The place of a union's branch, or of an enumeration's symbol.
    @inlinable public mutating func index(_ value: Int) { long(Int64(value)) }

    /// How many elements of an array or a map follow.
    @inlinable public mutating func blockCount(_ value: Int) { long(Int64(value)) }
}
