package import Dionysus

public import struct Foundation.UUID

/// What is known about an event beside what happened: what caused it, and who.
public struct EventMetadata: Sendable, Hashable {
    /// What all events of one business process share.
    public var correlationID: UUID?
    /// The event or command that caused this one.
    public var causationID: UUID?
    /// The W3C `traceparent` of the trace in which it happened.
    public var traceparent: String?
    /// Who did it.
    public var actor: String?
    /// Anything else; names that begin with `dionysus.` are reserved, and refused.
    public var others: [String: String]

    /// Creates metadata.
    /// - Parameters:
    ///   - correlationID: What all events of one business process share.
    ///   - causationID: The event or command that caused this one.
    ///   - traceparent: The W3C header of that name.
    ///   - actor: Who did it.
    ///   - others: Anything else.
    public init(
        correlationID: UUID? = nil,
        causationID: UUID? = nil,
        traceparent: String? = nil,
        actor: String? = nil,
        others: [String: String] = [:]
    ) {
        self.correlationID = correlationID
        self.causationID = causationID
        self.traceparent = traceparent
        self.actor = actor
        self.others = others
    }

    private static let reservedPrefix = "dionysus."

    /// Without what the store itself has added.
    var ofCaller: EventMetadata {
        var copy = self
        copy.others = others.filter { !$0.key.hasPrefix(Self.reservedPrefix) }
        return copy
    }

    /// Checks that a caller can give it.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed`.
    func check() throws {
        guard let name = others.keys.first(where: { $0.hasPrefix(Self.reservedPrefix) }) else { return }
        throw DionysusError(
            .malformed,
            "the metadata of an event has the reserved name \(name.shown)",
            advice: "names that begin with \(Self.reservedPrefix) are the store's own; choose another"
        )
    }

    private static let correlation = "correlation_id"
    private static let causation = "causation_id"
    private static let trace = "traceparent"
    private static let actorName = "actor"

    /// Reads stored metadata; members that aren't text are ignored.
    init(_ json: JSON) {
        self.init()
        guard case .object(let object) = json else { return }
        for member in object.members {
            guard case .string(let text) = member.value else { continue }
            switch member.name {
            case Self.correlation: correlationID = UUID(uuidString: text)
            case Self.causation: causationID = UUID(uuidString: text)
            case Self.trace: traceparent = text
            case Self.actorName: actor = text
            default: others[member.name] = text
            }
        }
    }

    /// The metadata as it is stored.
    package var json: JSON {
        var object = JSON.Object()
        object[Self.correlation] = correlationID.map { .string($0.uuidString.lowercased()) }
        object[Self.causation] = causationID.map { .string($0.uuidString.lowercased()) }
        object[Self.trace] = traceparent.map(JSON.string)
        object[Self.actorName] = actor.map(JSON.string)
        for (name, value) in others.sorted(by: { $0.key < $1.key }) { object[name] = .string(value) }
        return .object(object)
    }
}
