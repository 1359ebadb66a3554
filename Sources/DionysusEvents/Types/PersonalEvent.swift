import Crypto
import Dionysus

import struct Foundation.Data
import struct Foundation.UUID

/// An event with members that identify a person, which are stored encrypted with a key of that person's own.
///
///     struct AdvertiserNamed: PersonalEvent {
///         static let eventName = "AdvertiserNamed"
///         static let personalMembers = ["name", "email"]
///         var advertiser: String
///         var name: String?
///         var email: String?
///         var subject: String { advertiser }
///     }
///
/// ``EventStore/forget(_:in:)`` deletes the key. From then on the members are null, in the table and in every copy of it, so
/// they have to be optional.
public protocol PersonalEvent: Event {
    /// The names of the members that are encrypted, as they are encoded.
    static var personalMembers: [String] { get }
    /// The person that they identify: an id, not a name, because it stays readable.
    var subject: String { get }
}

/// Encrypts members of events, and decrypts them.
enum MemberCipher {
    /// The name of the subject among an event's metadata.
    static let subjectName = "dionysus.subject"
    /// The name of the list of encrypted members among an event's metadata.
    ///
    /// How a member looks says nothing: users can send anything.
    static let membersName = "dionysus.encrypted_members"
    private static let mark = "dionysus.encrypted"

    /// - Returns: The data, and the names of the members that are encrypted.
    static func encrypt(
        _ data: JSON,
        _ members: [String],
        of event: UUID,
        with key: SubjectKey
    ) throws -> (data: JSON, members: [String]) {
        guard case .object(var object) = data else { return (data, []) }
        var encrypted: [String] = []
        for member in members {
            guard let value = object[member], value != .null else { continue }
            let box = try AES.GCM.seal(value.bytes, using: key.key, authenticating: context(event, member))
            guard let combined = box.combined else {
                throw DionysusError(.application, "member \(member) can't be encrypted")
            }
            object[member] = .object([mark: .string("\(key.id):\(Array(combined).base64Encoded)")])
            encrypted.append(member)
        }
        return (.object(object), encrypted)
    }

    /// The names of an event's encrypted members.
    static func encryptedMembers(_ metadata: EventMetadata) throws -> [String] {
        guard let text = metadata.others[membersName], case .array(let names) = try JSON(parsing: text.utf8) else {
            return []
        }
        var members: [String] = []
        for case .string(let name) in names { members.append(name) }
        return members
    }

    /// - Parameters:
    ///   - members: The names of the encrypted members.
    ///   - key: Nil if it was deleted, or is not here: then the members are null, and so are those of an earlier key.
    static func decrypt(_ data: JSON, _ members: [String], of event: UUID, with key: SubjectKey?) throws -> JSON {
        guard !members.isEmpty, case .object(var object) = data else { return data }
        for member in members {
            guard let value = object[member] else { continue }
            object[member] = try key.map { try open(value, member, event, $0) } ?? .null
        }
        return .object(object)
    }

    private static func open(_ value: JSON, _ member: String, _ event: UUID, _ key: SubjectKey) throws -> JSON {
        guard case .string(let text)? = value[mark], let colon = text.firstIndex(of: ":") else {
            throw undecryptable(member, event)
        }
        guard String(text[..<colon]) == key.id else { return .null }
        do {
            let box = try AES.GCM.SealedBox(combined: [UInt8](base64: String(text[text.index(after: colon)...])) ?? [])
            return try JSON(parsing: AES.GCM.open(box, using: key.key, authenticating: context(event, member)))
        } catch {
            throw undecryptable(member, event, error)
        }
    }

    private static func undecryptable(_ member: String, _ event: UUID, _ error: (any Error)? = nil) -> DionysusError {
        DionysusError(
            .malformed,
            "member \(member.shown) of event \(event) can't be decrypted",
            advice: "it was changed after it was stored; restore the event's row",
            underlying: error
        )
    }

    /// Binds what is encrypted to its place, so that it can't be put into another.
    private static func context(_ event: UUID, _ member: String) -> Data {
        Data("\(event.uuidString.lowercased())/\(member)".utf8)
    }
}
