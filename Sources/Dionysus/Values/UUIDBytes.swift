package import struct Foundation.UUID
import typealias Foundation.uuid_t

extension UUID {
    /// Reads a UUID that is stored as its bytes, as GRDB does it.
    /// - Parameter bytes: The bytes; nil is returned unless there are 16.
    package init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        self.init(uuid: bytes.withUnsafeBytes { $0.loadUnaligned(as: uuid_t.self) })
    }

    /// Its 16 bytes.
    package var bytes: [UInt8] { withUnsafeBytes(of: uuid) { Array($0) } }
}
