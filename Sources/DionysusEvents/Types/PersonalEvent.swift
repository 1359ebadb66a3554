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
    /// Whom they identify: an id, not a name, because it stays readable.
    var subject: String { get }
}

/// Encrypts members of events, and decrypts them.
enum MemberCipher {
    /// The name of the subject among an event's metadata.
    static let subjectName = "dionysus.subject"
    private static let mark = "dionysus.encrypted"

    static func encrypt(_ data: JSON, _ members: [String], of event: UUID, with key: SymmetricKey) throws -> JSON {
        guard case .object(var object) = data else { return data }
        for member in members {
            guard let value = object[member], value != .null else { continue }
            let box = try AES.GCM.seal(value.bytes, using: key, authenticating: context(event, member))
            guard let combined = box.combined else {
                throw DionysusError(.application, "member \(member) can't be encrypted")
            }
            object[member] = .object([mark: .string(Array(combined).base64Encoded)])
        }
        return .object(object)
    }

    /// - Parameter key: Nil if it was deleted, or is not here: then the members are null.
    static func decrypt(_ data: JSON, of event: UUID, with key: SymmetricKey?) throws -> JSON {
        guard case .object(var object) = data else { return data }
        for member in object.members {
            guard case .object(let value) = member.value, value.members.count == 1,
                case .string(let text)? = value[mark]
            else { continue }
            object[member.name] = try key.map { try open(text, member.name, event, $0) } ?? .null
        }
        return .object(object)
    }

    private static func open(_ text: String, _ member: String, _ event: UUID, _ key: SymmetricKey) throws -> JSON {
        do {
            let box = try AES.GCM.SealedBox(combined: [UInt8](base64: text) ?? [])
            return try JSON(parsing: AES.GCM.open(box, using: key, authenticating: context(event, member)))
        } catch {
            throw DionysusError(
                .malformed,
                "member \(member.shown) of event \(event) can't be decrypted",
                advice: "it was changed, or encrypted with another key",
                underlying: error
            )
        }
    }

    /// Binds what is encrypted to its place, so that it can't be put into another.
    private static func context(_ event: UUID, _ member: String) -> Data {
        Data("\(event.uuidString.lowercased())/\(member)".utf8)
    }
}
