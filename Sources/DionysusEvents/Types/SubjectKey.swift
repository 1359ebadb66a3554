import Crypto
import Dionysus

/// The key of one person.
struct SubjectKey: Sendable {
    let key: SymmetricKey
    /// Tells it from those that the person has had before, or gets after being forgotten; it doesn't reveal the key.
    let id: String

    init(_ bytes: [UInt8]) {
        key = SymmetricKey(data: bytes)
        var named = Array("dionysus.subject_key/".utf8)
        named += bytes
        let digest = SHA256.hash(data: named)
        id = Array(digest.prefix(16)).base64Encoded
    }
}
