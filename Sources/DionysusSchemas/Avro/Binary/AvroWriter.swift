/// Appends Avro's binary encoding to a byte buffer that is used again and again.
///
/// It knows no schema: who calls it writes the parts of a datum in the order of the schema's fields, without a tree between.
/// A record is its fields, one after another. A union is ``index(_:)`` of the branch and the branch's data. An array or a map is
/// ``blockCount(_:)`` of its elements, the elements (of a map each behind its key, a ``string(_:)``), and, unless there were
/// none, ``blockCount(_:)`` of zero.
@usableFromInline package struct AvroWriter: Sendable {
    @usableFromInline var buffer: [UInt8] = []

    /// What has been written.
    @inlinable package var bytes: [UInt8] { buffer }

    @inlinable package init(capacity: Int = 0) { buffer.reserveCapacity(capacity) }

    /// Forgets what was written and keeps the memory.
    @inlinable package mutating func reset() { buffer.removeAll(keepingCapacity: true) }

    /// Forgets what was written behind a length.
    @inlinable package mutating func truncate(to count: Int) { buffer.removeLast(buffer.count - count) }

    @inlinable package mutating func boolean(_ value: Bool) { buffer.append(value ? 1 : 0) }

    @inlinable package mutating func int(_ value: Int32) { long(Int64(value)) }

    @inlinable package mutating func long(_ value: Int64) {
        var rest = UInt64(bitPattern: (value << 1) ^ (value >> 63))
        while rest >= 0x80 {
            buffer.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        buffer.append(UInt8(truncatingIfNeeded: rest))
    }

    @inlinable package mutating func float(_ value: Float) {
        withUnsafeBytes(of: value.bitPattern.littleEndian) { buffer.append(contentsOf: $0) }
    }

    @inlinable package mutating func double(_ value: Double) {
        withUnsafeBytes(of: value.bitPattern.littleEndian) { buffer.append(contentsOf: $0) }
    }

    @inlinable package mutating func string(_ value: String) {
        var value = value
        value.withUTF8 { utf8 in
            long(Int64(utf8.count))
            buffer.append(contentsOf: utf8)
        }
    }

    @inlinable package mutating func bytes(_ value: some Collection<UInt8>) {
        long(Int64(value.count))
        buffer.append(contentsOf: value)
    }

    /// Writes bytes whose number the schema has.
    @inlinable package mutating func fixed(_ value: some Collection<UInt8>) { buffer.append(contentsOf: value) }

    /// The place of a union's branch, or of an enumeration's symbol.
    @inlinable package mutating func index(_ value: Int) { long(Int64(value)) }

    /// How many elements of an array or a map follow.
    @inlinable package mutating func blockCount(_ value: Int) { long(Int64(value)) }
}
