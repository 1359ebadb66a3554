import Crypto
public import Dionysus

import struct Foundation.Data

/// Encrypts the values in changesets, by AES-GCM, and reads them again.
///
/// The encrypted members stand as one document under `dionysus_encrypted`, as `KEYID:BASE64`: nonce, encrypted text and
/// tag. What the relay needs stays beside it as it is.
public struct ChangesetCipher: Sendable {
    static let member = "dionysus_encrypted"

    private let keys: [ChangesetKey]

    /// Creates a cipher.
    /// - Parameter keys: The first encrypts, all decrypt.
    public init(keys: [ChangesetKey]) { self.keys = keys }

    /// Encrypts members, except for some.
    /// - Parameters:
    ///   - changeset: The changeset.
    ///   - plain: The names of the members that stay as they are.
    func encrypt(_ changeset: JSON.Object, except plain: Set<String>) throws -> JSON.Object {
        guard let key = keys.first else { return changeset }
        let secret = changeset.members.filter { !plain.contains($0.name) }
        guard !secret.isEmpty else { return changeset }
        let box: AES.GCM.SealedBox
        do {
            box = try AES.GCM.seal(
                JSON.object(JSON.Object(secret)).bytes,
                using: SymmetricKey(data: key.bytes),
                authenticating: Array(key.id.utf8)
            )
        } catch {
            throw DionysusError(.configuration, "a changeset can't be encrypted with key \(key.id)", underlying: error)
        }
        let text = Data(box.nonce) + box.ciphertext + box.tag
        let envelope = JSON.Object.Member(Self.member, .string("\(key.id):\(text.base64EncodedString())"))
        return JSON.Object(changeset.members.filter { plain.contains($0.name) } + [envelope])
    }

    /// Decrypts a changeset of the outbox.
    ///
    /// - Parameter changeset: The changeset; one that is not encrypted is returned as it is.
    /// - Returns: All members under their names.
    /// - Throws: ``Dionysus/DionysusError``: `configuration` when the key is not there, `malformed` when what is
    ///   encrypted has been changed.
    public func decrypt(_ changeset: JSON) throws -> JSON {
        guard case .object(let object) = changeset, case .string(let envelope)? = object[Self.member] else {
            return changeset
        }
        let parts = envelope.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let bytes = Data(base64Encoded: String(parts[1])) else {
            throw DionysusError(.malformed, "an encrypted changeset is not KEYID:BASE64")
        }
        guard let key = keys.first(where: { $0.id == parts[0] }) else {
            throw DionysusError(
                .configuration,
                "a changeset is encrypted with key \(parts[0]), which is not configured",
                advice: "keep old keys behind the new one in DIONYSUS_CHANGESET_KEYS"
            )
        }
        let secret: JSON
        do {
            let text = try AES.GCM.open(
                AES.GCM.SealedBox(combined: bytes),
                using: SymmetricKey(data: key.bytes),
                authenticating: Array(key.id.utf8)
            )
            secret = try JSON(parsing: Array(text))
        } catch {
            throw DionysusError(
                .malformed,
                "a changeset can't be decrypted with key \(key.id)",
                advice: "check that the key is the one it was encrypted with",
                underlying: error
            )
        }
        guard case .object(let members) = secret else {
            throw DionysusError(.malformed, "an encrypted changeset is no object")
        }
        return .object(JSON.Object(object.members.filter { $0.name != Self.member } + members.members))
    }
}
