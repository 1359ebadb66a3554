/// The name of an event on the wire: `rental_created`.
public struct EventName: Sendable, Hashable, CustomStringConvertible {
    /// What happened.
    public enum Change: String, Sendable, Hashable, CaseIterable {
        case created
        case updated
        case destroyed

        /// Parses only the ending of an event's name.
        package init?(ofEvent name: String) {
            guard let change = Self.allCases.first(where: { name.hasSuffix($0.ending) }),
                name.utf8.count > change.ending.utf8.count
            else { return nil }
            self = change
        }

        fileprivate var ending: String {
            switch self {
            case .created: "_created"
            case .updated: "_updated"
            case .destroyed: "_destroyed"
            }
        }
    }

    /// The singular name of the model: `bookings_fee`.
    package var singular: String
    /// What happened to it.
    public var change: Change

    /// Creates a name.
    package init(_ singular: String, _ change: Change) {
        self.singular = singular
        self.change = change
    }

    /// Parses a name.
    /// - Parameter text: The name on the wire; the result is nil if it ends in none of the three changes.
    package init?(_ text: String) {
        guard let change = Change(ofEvent: text) else { return nil }
        self.init(String(text.dropLast(change.ending.count)), change)
    }

    public var description: String { "\(singular)_\(change.rawValue)" }
}
