import Foundation

extension String {
    /// Whether it contains a zero byte, which databases treat as the end of text.
    package var hasZeroByte: Bool {
        var text = self
        return text.withUTF8 { bytes in
            bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false
        }
    }
}
