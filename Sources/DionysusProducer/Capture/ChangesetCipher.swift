import Crypto
public import Dionysus

import struct Foundation.Data

/// Encrypts the values in changesets, by AES-GCM, and reads them again.
///
/// The encrypted members stand as one document under `dionysus_encrypted`, as `2:KEYID:BASE64`: nonce, encrypted text and
/// tag. What the relay needs stays beside it as it is.
///
/// What is encrypted belongs to its row: model, record, event and topic, key and version are authenticated with it, so that
/// it can't be decrypted in the row of another record, in another topic or under another version. The row's id can't be among
/// them, since the database gives it only when the row is inserted; nor its time, for the same reason. So two rows
/// that tell the same event of the same record in the same topic could be exchanged, and nothing else.
public struct ChangesetCipher: Sendable {
    /// The row that a changeset belongs to, as the outbox has it.
    public struct Row: Sendable, Hashable {
        /// The row's `resource_class`.
        package var modelName: String
        /// The row's `resource_id`.
        package var recordID: String
        /// The row's `event_name`.
        package var eventName: String
        /// The row's `topic`.
        package var topic: String

        /// Names a row.
        /// - Parameters:
        ///   - modelName: The row's `resource_class`.
        ///   - recordID: The row's `resource_id`.
        ///   - eventName: The row's `event_name`.
        ///   - topic: The row's `topic`.
        public init(modelName: String, recordID: String, eventName: String, topic: String) {
            self.modelName = modelName
            self.recordID = recordID
            self.eventName = eventName
            self.topic = topic
        }
    }

    static let member = "dionysus_encrypted"
    /// Stands before what is bound to its row; the envelopes of 0.1 have no version, and no key's id has a colon.
    private static let version = "2"

    private let keys: [ChangesetKey]

    /// Creates a cipher.
    /// - Parameter keys: The first encrypts, all decrypt.
    public init(keys: [ChangesetKey]) { self.keys = keys }

    /// Encrypts members, except for some.
    /// - Parameters:
    ///   - changeset: The changeset.
    ///   - row: The row that it is for.
    ///   - plain: The names of the members that stay as they are.
    func encrypt(_ changeset: JSON.Object, of row: Row, except plain: Set<String>) throws -> JSON.Object {
        guard let key = keys.first else { return changeset }
        let secret = changeset.members.filter { !plain.contains($0.name) }
        guard !secret.isEmpty else { return changeset }
        let box: AES.GCM.SealedBox
        do {
            box = try AES.GCM.seal(
                JSON.object(JSON.Object(secret)).bytes,
                using: SymmetricKey(data: key.bytes),
                authenticating: Self.bound(to: row, key)
            )
        } catch {
            throw DionysusError(.configuration, "a changeset can't be encrypted with key \(key.id)", underlying: error)
        }
        let text = Data(box.nonce) + box.ciphertext + box.tag
        let envelope = JSON.Object.Member(
            Self.member,
            .string("\(Self.version):\(key.id):\(text.base64EncodedString())")
        )
        return JSON.Object(changeset.members.filter { plain.contains($0.name) } + [envelope])
    }

    /// Decrypts a changeset of the outbox.
    ///
    /// - Parameters:
    ///   - changeset: The changeset; one that is not encrypted is returned as it is.
    ///   - row: The row that it stands in.
    ///   - acceptsUnbound: Whether changesets are decrypted that 0.1 has encrypted. They aren't bound to their rows: who can
    ///     write to the outbox can have put one there that belongs to another. Default false; say true for as long as
    ///     rows of that time are kept.
    /// - Returns: All members under their names.
    /// - Throws: ``/Dionysus/DionysusError``: `configuration` when the key is not there, `malformed` when what is
    ///   encrypted has been changed, belongs to another row, or isn't bound to any.
    public func decrypt(_ changeset: JSON, of row: Row, acceptsUnbound: Bool = false) throws -> JSON {
        guard case .object(let object) = changeset, let member = object[Self.member] else { return changeset }
        guard case .string(let envelope) = member else {
            throw DionysusError(.malformed, "an encrypted changeset is no text")
        }
        var parts = envelope.split(separator: ":", omittingEmptySubsequences: false)
        let isBound = parts.count == 3 && parts[0] == Self.version
        if isBound { parts.removeFirst() }
        guard isBound || acceptsUnbound || parts.count != 2 else {
            throw DionysusError(
                .malformed,
                "a changeset is encrypted without being bound to its row",
                advice: "if the row was written by version 0.1, decrypt it with acceptsUnbound"
            )
        }
        guard parts.count == 2, let bytes = Data(base64Encoded: String(parts[1])) else {
            throw DionysusError(.malformed, "an encrypted changeset is not \(Self.version):KEYID:BASE64")
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
                authenticating: isBound ? Self.bound(to: row, key) : Array(key.id.utf8)
            )
            secret = try JSON(parsing: Array(text))
        } catch {
            throw DionysusError(
                .malformed,
                "a changeset can't be decrypted with key \(key.id)",
                advice:
                    "check that the key is the one it was encrypted with, and that it stands in the row it was written to",
                underlying: error
            )
        }
        guard case .object(let members) = secret else {
            throw DionysusError(.malformed, "an encrypted changeset is no object")
        }
        return .object(JSON.Object(object.members.filter { $0.name != Self.member } + members.members))
    }

    /// What is authenticated with a row's changeset: a list, so that no part can lend the next one its end.
    private static func bound(to row: Row, _ key: ChangesetKey) -> [UInt8] {
        JSON.array(
            ["dionysus changeset", version, key.id, row.modelName, row.recordID, row.eventName, row.topic]
                .map(JSON.string)
        )
        .bytes
    }
}
