import Crypto
import Dionysus

public import struct Foundation.UUID

extension UUID {
    /// A new id of version 7, which begins with the time: the index of ids grows at its end.
    public static func newEventID() -> UUID {
        let milliseconds = UInt64(max(Timestamp.now.microseconds / 1_000, 0))
        var generator = SystemRandomNumberGenerator()
        let random: (UInt64, UInt64) = (generator.next(), generator.next())
        var bytes = withUnsafeBytes(of: random) { Array($0) }
        for index in 0..<6 { bytes[index] = UInt8(truncatingIfNeeded: milliseconds >> (40 - 8 * UInt64(index))) }
        return UUID(bytes, version: 7)
    }

    /// An id that is always the same for the same cause.
    ///
    /// What is done again because of one cause, such as an event that is delivered twice, gets the same ids, and is
    /// recognized as done.
    /// - Parameters:
    ///   - cause: The id of what the new id is derived from.
    ///   - name: What tells several effects of one cause apart.
    public static func derived(from cause: UUID, _ name: String) -> UUID {
        let digest = SHA256.hash(data: Array("\(cause.uuidString.lowercased())/\(name)".utf8))
        return UUID(Array(digest.prefix(16)), version: 8)
    }

    private init(_ bytes: [UInt8], version: UInt8) {
        var bytes = bytes
        bytes[6] = bytes[6] & 0x0f | version << 4
        bytes[8] = bytes[8] & 0x3f | 0x80
        self.init(
            uuid: (
                bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7], bytes[8], bytes[9],
                bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]
            )
        )
    }
}
