public import Dionysus

/// What becomes of a stored event whose name or version no declared type has.
public enum UnknownEvents: String, Sendable, Hashable, CaseIterable {
    /// Reading fails.
    case fail
    /// It is left out.
    case skip
    /// It is read as an ``UnknownEvent``, with its data as they are.
    case raw
}

/// The event types that a reader or writer knows, and how older data become theirs.
///
///     let types = EventTypes(AdCreated.self, AdPriceChanged.self)
///         .upcasting("AdCreated", from: 1) { data in data["currency"] = "EUR" }
public struct EventTypes: Sendable {
    private var types: [String: Declared] = [:]
    private var upcasts: [Stage: Upcast] = [:]
    private var unknown = UnknownEvents.fail

    private struct Stage: Hashable {
        var type: String
        var version: Int
    }

    private struct Declared: Sendable {
        var type: any Event.Type
        /// What messages call its data.
        var place: String
    }

    private struct Upcast: Sendable {
        var name: String
        var change: @Sendable (inout JSON.Object) throws -> Void
    }

    /// Declares event types; of several with one name the last counts.
    /// - Parameter types: The types.
    public init(_ types: any Event.Type...) {
        for type in types + [StreamEnded.self] {
            self.types[type.eventName] = Declared(type: type, place: "the data of \(type.eventName)")
        }
    }

    /// Adds the step that turns data of one version into those of the next.
    ///
    /// Steps are chained until no step leads on. They run when events are read; what is stored stays as it is.
    /// - Parameters:
    ///   - type: The name of the event in the old version.
    ///   - version: The old version.
    ///   - name: The name of the event in the next version, if it has changed.
    ///   - change: Changes the data. What it throws makes reading fail.
    public func upcasting(
        _ type: String,
        from version: Int,
        renamingTo name: String? = nil,
        _ change: @escaping @Sendable (inout JSON.Object) throws -> Void = { _ in }
    ) -> EventTypes {
        var copy = self
        copy.upcasts[Stage(type: type, version: version)] = Upcast(name: name ?? type, change: change)
        return copy
    }

    /// Chooses what becomes of events that no declared type fits; reading fails by default.
    public func unknown(_ choice: UnknownEvents) -> EventTypes {
        var copy = self
        copy.unknown = choice
        return copy
    }

    /// The declared types, by name.
    var declared: [any Event.Type] { types.sorted { $0.key < $1.key }.map(\.value.type) }

    /// The same types for a reader that has to see every event, if only to count it.
    var seeingAll: EventTypes { unknown == .skip ? unknown(.raw) : self }

    /// Leaves out what is unknown, if that is the choice.
    func leavingOut(_ events: [RecordedEvent]) -> [RecordedEvent] {
        unknown == .skip ? events.filter { !($0.event is UnknownEvent) } : events
    }

    /// Decodes an event.
    /// - Returns: The event; nil if it is unknown and left out.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` for an unknown event or data that don't fit the type,
    ///   and what an upcast throws.
    func decode(type: String, version: Int, data: JSON, at place: @autoclosure () -> String) throws -> (any Event)? {
        var (type, version, data) = (type, version, data)
        while !upcasts.isEmpty, let step = upcasts[Stage(type: type, version: version)] {
            guard case .object(var object) = data else {
                throw DionysusError(.malformed, "the data of \(type) at \(place()) are no object")
            }
            try step.change(&object)
            (type, version, data) = (step.name, version + 1, .object(object))
        }
        guard let declared = types[type], declared.type.eventVersion == version else {
            switch unknown {
            case .skip: return nil
            case .raw: return UnknownEvent(type: type, version: version)
            case .fail:
                throw DionysusError(
                    .malformed,
                    "no declared event type is \(type.shown) in version \(version), as stored at \(place())",
                    advice: "declare it in EventTypes, add an upcast, or choose what becomes of unknown events"
                )
            }
        }
        return try declared.type.init(from: JSONTreeDecoder(value: data, path: declared.place))
    }
}

extension String {
    /// A name from outside as messages can show it.
    var shown: String {
        let printable = unicodeScalars.prefix(100).filter { $0.value >= 0x20 && $0.value != 0x7f }
        return String(String.UnicodeScalarView(printable))
    }
}
