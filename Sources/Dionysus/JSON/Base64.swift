import struct Foundation.Data

extension [UInt8] {
    /// The bytes as base64 with padding.
    package var base64Encoded: String { Data(self).base64EncodedString() }

    /// Decodes base64.
    /// - Returns: Nil if the text isn't base64.
    package init?(base64: String) {
        guard let data = Data(base64Encoded: base64) else { return nil }
        self = Array(data)
    }
}
