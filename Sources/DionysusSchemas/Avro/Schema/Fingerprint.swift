import Crypto
import Dionysus

extension AvroSchema {
    /// A way to make a few bytes of a schema's canonical form.
    public enum FingerprintAlgorithm: String, Sendable, CaseIterable {
        /// Avro's own, of 8 bytes.
        case crc64
        /// MD5, of 16 bytes.
        case md5
        /// SHA-256, of 32 bytes.
        case sha256
    }

    /// The fingerprint of the canonical form.
    /// - Parameter algorithm: How it is made.
    /// - Returns: The bytes. Those of ``FingerprintAlgorithm/crc64`` are the number's, the most significant first.
    public func fingerprint(_ algorithm: FingerprintAlgorithm) -> [UInt8] {
        let form = Array(canonicalForm.utf8)
        switch algorithm {
        case .crc64: return withUnsafeBytes(of: Self.crc64(form).bigEndian) { Array($0) }
        case .md5: return Array(Insecure.MD5.hash(data: form))
        case .sha256: return Array(SHA256.hash(data: form))
        }
    }

    /// CRC-64-AVRO of the canonical form, as a number.
    public var crc64: UInt64 { Self.crc64(Array(canonicalForm.utf8)) }

    private static let empty: UInt64 = 0xc15d_213a_a4d7_a795

    private static let table: [UInt64] = (0..<256)
        .map { index in
            (0..<8).reduce(UInt64(index)) { value, _ in (value >> 1) ^ (empty & (0 &- (value & 1))) }
        }

    private static func crc64(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(empty) { value, byte in (value >> 8) ^ table[Int(UInt8(truncatingIfNeeded: value) ^ byte)] }
    }
}
