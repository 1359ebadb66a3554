public import Dionysus

/// Decides which events are applied, and says why the others are not.
///
///     MessageFilter(otherwise: "a test account") { event in event.data["test"] != .bool(true) }
///
/// An event that is left out is neither applied nor handled nor logged. The error handler gets it.
public struct MessageFilter: Sendable {
    let reason: String
    /// Whether all records of an event are to be applied, as far as the filter looks at them together.
    let acceptsTogether: @Sendable (IncomingRecords) throws -> Bool
    let isAccepted: @Sendable (IncomingEvent) throws -> Bool
    /// What it looks at, if it is no code.
    private(set) var condition: AttributeCondition?

    /// Creates a filter.
    /// - Parameters:
    ///   - reason: Why events are left out, for the error handler.
    ///   - isAccepted: Whether an event is to be applied. What it throws is a failure of the event's message.
    public init(
        otherwise reason: String = "a filter does not accept it",
        isAccepted: @escaping @Sendable (IncomingEvent) throws -> Bool
    ) {
        self.reason = reason
        acceptsTogether = { _ in true }
        self.isAccepted = isAccepted
    }

    /// Creates a filter that looks at all records of an event together.
    ///
    ///     MessageFilter(otherwise: "a test account", together: { $0.records.allSatisfy { $0.data["test"] == nil } })
    /// - Parameters:
    ///   - reason: Why events are left out, for the error handler.
    ///   - accepts: Whether an event is to be applied, with all of its records. What it throws is a failure of its message.
    public init(
        otherwise reason: String = "a filter does not accept it",
        together accepts: @escaping @Sendable (IncomingRecords) throws -> Bool
    ) {
        self.reason = reason
        acceptsTogether = accepts
        isAccepted = { _ in true }
    }
}

/// A filter by one attribute of events.
package struct AttributeCondition: Sendable, Hashable {
    /// The attribute with the values that are looked for.
    package let values: ColumnCondition
    /// Whether events with one of the values are left out, in place of all others.
    package let excludes: Bool

    package init(_ values: ColumnCondition, excludes: Bool) {
        self.values = values
        self.excludes = excludes
    }
}

extension MessageFilter {
    /// Creates a filter by one attribute.
    package init(_ condition: AttributeCondition) {
        let (values, excludes) = (condition.values, condition.excludes)
        let reason = excludes ? "is one that the file leaves out" : "is none that the file asks for"
        self.init(otherwise: "its \(values.column) \(reason)") { event in
            values.holds(for: event.data[values.column]) != excludes
        }
        self.condition = condition
    }
}

/// An event as it stands in its message, with all of its records.
public struct IncomingRecords: Sendable {
    /// The message, as the last middleware left it.
    public let message: ConsumedMessage
    /// The event's name: `rental_updated`.
    public let name: EventName
    /// The model's name on the wire.
    public let model: String
    /// The event once for each of its records, in their order.
    public let records: [IncomingEvent]

    /// The topic of its message.
    public var topic: String { message.source.topic }
}

extension ConsumerTopic {
    /// Leaves out events that a condition does not accept.
    ///
    ///     Topic("rentals").accepting(otherwise: "a test account") { event in event.data["test"] != .bool(true) }
    ///
    /// - Parameters:
    ///   - reason: Why events are left out, for the error handler.
    ///   - isAccepted: Whether an event is to be applied. What it throws is a failure of the event's message.
    public func accepting(
        otherwise reason: String = "a filter does not accept it",
        where isAccepted: @escaping @Sendable (IncomingEvent) throws -> Bool
    ) -> ConsumerTopic {
        filtering(by: MessageFilter(otherwise: reason, isAccepted: isAccepted))
    }

    /// Leaves out events that a filter does not accept.
    public func filtering(by filter: MessageFilter) -> ConsumerTopic {
        changing { $0.filters.append(filter) }
    }
}
