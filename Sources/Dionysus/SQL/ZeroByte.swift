import Foundation

extension String {
    /// Whether there is a zero byte in it, which databases take for the end of a text.
    package var hasZeroByte: Bool {
        var text = self
        return text.withUTF8 { bytes in
            bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false
        }
    }
}
