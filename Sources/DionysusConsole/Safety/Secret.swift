import Crypto

import struct Foundation.Data

/// Random texts, and comparisons that take the same time for every difference.
enum Secret {
    /// A text that can't be guessed, of 43 letters and digits.
    static func random() -> String { text(SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }) }

    /// A text that only somebody with the key can make of another.
    static func signature(of text: String, key: String) -> String {
        let code = HMAC<SHA256>
            .authenticationCode(
                for: Data(text.utf8),
                using: SymmetricKey(data: Data(key.utf8))
            )
        return Self.text(Array(code))
    }

    /// Whether two texts are the same.
    static func isSame(_ left: String, _ right: String) -> Bool {
        let (left, right) = (SHA256.hash(data: Data(left.utf8)), SHA256.hash(data: Data(right.utf8)))
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private static func text(_ bytes: [UInt8]) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
        return String(bytes.map { letters[Int($0) % letters.count] })
    }
}
