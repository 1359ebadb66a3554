package import struct Foundation.UUID
import typealias Foundation.uuid_t

extension UUID {
    /// Creates a UUID from its bytes, as GRDB stores it.
    /// - Parameter bytes: The bytes; the result is nil unless there are 16.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        self.init(uuid: bytes.withUnsafeBytes { $0.loadUnaligned(as: uuid_t.self) })
    }

    /// Its 16 bytes.
    package var bytes: [UInt8] { withUnsafeBytes(of: uuid) { Array($0) } }
}
