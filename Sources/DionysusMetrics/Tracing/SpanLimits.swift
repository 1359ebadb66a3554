/// The limits of a span's contents.
///
/// What exceeds them is dropped and counted.
public struct SpanLimits: Sendable, Hashable {
    /// Attributes of a span.
    ///
    /// Default 128.
    public var attributes = 128
    /// Events of a span.
    ///
    /// Default 128.
    public var events = 128
    /// Links of a span.
    ///
    /// Default 128.
    public var links = 128
    /// Attributes of an event or a link.
    ///
    /// Default 128.
    public var nestedAttributes = 128
    /// Characters of an attribute's value.
    ///
    /// Default 4,096.
    public var valueLength = 4_096

    /// Creates limits with their defaults.
    public init() {}
}
