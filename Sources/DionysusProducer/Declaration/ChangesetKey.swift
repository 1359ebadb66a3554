import Crypto
import Dionysus

import struct Foundation.Data

/// A key that encrypts values in changesets.
public struct ChangesetKey: Sendable, Equatable {
    /// Names the key in what it has encrypted: letters, digits, dashes and underscores.
    package let id: String
    let bytes: [UInt8]

    /// Creates a key.
    /// - Parameters:
    ///   - id: Names the key in what it has encrypted: letters, digits, dashes and underscores.
    ///   - bytes: The key itself: 16, 24 or 32 bytes, for AES of that strength.
    public init(id: String, bytes: [UInt8]) {
        self.id = id
        self.bytes = bytes
    }

    /// Reads a key as settings have it.
    /// - Parameter text: `ID:BASE64`.
    public init?(_ text: some StringProtocol) {
        guard let colon = text.firstIndex(of: ":"),
            let data = Data(base64Encoded: String(text[text.index(after: colon)...]))
        else { return nil }
        self.init(id: String(text[..<colon]), bytes: Array(data))
    }

    /// What is wrong with keys, a line each, without showing any of them.
    static func faults(in keys: [ChangesetKey]) -> [String] {
        var faults: [String] = []
        for key in keys {
            if key.id.isEmpty || !key.id.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-_".contains($0)) })
            {
                faults.append("the id of a key in changesetKeys must have letters, digits, dashes and underscores only")
            }
            if ![16, 24, 32].contains(key.bytes.count) {
                faults.append("key \(key.id) in changesetKeys must have 16, 24 or 32 bytes")
            }
        }
        if Set(keys.map(\.id)).count < keys.count { faults.append("the ids of changesetKeys must differ") }
        return faults
    }
}

extension ChangesetKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The id alone.
    public var description: String { "key \(id)" }
    /// The id alone.
    public var debugDescription: String { description }
    /// The id alone.
    public var customMirror: Mirror { Mirror(self, children: ["id": id]) }
}
