/// Something that has happened, as a stream keeps it for good.
///
///     struct AdCreated: Event {
///         static let eventName = "AdCreated"
///         var title: String
///         var price: Int
///     }
///
/// The name is declared and not taken from the type, so that renaming the type doesn't change what old events are called.
public protocol Event: Codable, Sendable {
    /// The name under which events of this type are stored.
    static var eventName: String { get }
    /// The version of the data's shape. 1 by default.
    ///
    /// Raise it with every change that old data doesn't fit, and tell with ``EventTypes/upcasting(_:from:renamingTo:_:)`` how data of
    /// the version before becomes data of this one.
    static var eventVersion: Int { get }
}

extension Event {
    public static var eventVersion: Int { 1 }
}

/// An event whose name or version no declared type has.
///
/// Readers get it if their ``EventTypes`` choose ``UnknownEvents/raw``.
public struct UnknownEvent: Event {
    public static let eventName = "dionysus.unknown"

    /// The name under which it is stored.
    public let type: String
    /// The version of its data.
    public let version: Int
}

/// The last event of a stream that has ended.
public struct StreamEnded: Event {
    public static let eventName = "dionysus.stream_ended"

    /// Creates the event.
    public init() {}
}
