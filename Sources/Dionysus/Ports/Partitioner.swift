/// The algorithm that maps a partition key to a partition.
public enum Partitioner: String, Sendable, Hashable, CaseIterable {
    /// CRC-32, as librdkafka's `consistent` and ruby-kafka's default.
    case crc32
    /// Murmur2, as the Java client's default.
    case murmur2

    /// Returns the partition of a key.
    /// - Parameters:
    ///   - key: The partition key, or else the message key.
    ///   - partitions: The topic's number of partitions; at least one.
    /// - Returns: A number from zero up to `partitions`.
    public func partition(of key: [UInt8], partitions: Int32) -> Int32 {
        guard partitions > 1 else { return 0 }
        switch self {
        case .crc32: return Int32(CRC32.checksum(key) % UInt32(partitions))
        case .murmur2: return Int32((Murmur2.hash(key) & 0x7fff_ffff) % UInt32(partitions))
        }
    }
}

/// The checksum of zlib.
package enum CRC32 {
    private static let table: [UInt32] = (0..<256)
        .map { index in
            (0..<8)
                .reduce(UInt32(index)) { value, _ in
                    value & 1 == 1 ? 0xedb8_8320 ^ (value >> 1) : value >> 1
                }
        }

    package static func checksum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(0xffff_ffff as UInt32) { value, byte in
            table[Int((value ^ UInt32(byte)) & 0xff)] ^ (value >> 8)
        }
    }
}

enum Murmur2 {
    /// The variant of Kafka's Java client, with its seed.
    static func hash(_ bytes: [UInt8]) -> UInt32 {
        let multiplier: UInt32 = 0x5bd1_e995
        var hash = 0x9747_b28c ^ UInt32(truncatingIfNeeded: bytes.count)
        var index = 0
        while index + 4 <= bytes.count {
            var word = UInt32(bytes[index])
            word |= UInt32(bytes[index + 1]) << 8
            word |= UInt32(bytes[index + 2]) << 16
            word |= UInt32(bytes[index + 3]) << 24
            word = word &* multiplier
            word ^= word >> 24
            word = word &* multiplier
            hash = (hash &* multiplier) ^ word
            index += 4
        }
        let rest = bytes.count - index
        if rest > 2 { hash ^= UInt32(bytes[index + 2]) << 16 }
        if rest > 1 { hash ^= UInt32(bytes[index + 1]) << 8 }
        if rest > 0 {
            hash ^= UInt32(bytes[index])
            hash = hash &* multiplier
        }
        hash ^= hash >> 13
        hash = hash &* multiplier
        hash ^= hash >> 15
        return hash
    }
}
