import Crypto
import Dionysus

import struct Foundation.UUID

/// What of a message its record may tell.
struct RecordContext {
    /// The event's id as text.
    let eventID: [UInt8]
    let recordedAt: Timestamp

    /// A UUID that is the same in every attempt to publish the event.
    var messageID: UUID {
        var bytes = Array(Insecure.SHA1.hash(data: Array("dionysus:".utf8) + eventID).prefix(16))
        // Version 5: a UUID by name.
        bytes[6] = bytes[6] & 0x0f | 0x50
        bytes[8] = bytes[8] & 0x3f | 0x80
        return UUID(bytes: bytes) ?? UUID()
    }

    var messageIDText: String { messageID.uuidString.lowercased() }
}
