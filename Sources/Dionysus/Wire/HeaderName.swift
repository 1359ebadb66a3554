/// The names of message headers.
public enum HeaderName {
    /// Unique per published event and the same in every retry of it.
    public static let eventID = "dionysus-event-id"
    /// How recent the snapshot is: a decimal integer; a higher one is at least as recent.
    public static let version = "dionysus-version"
    /// The schema that encodes the value, when it isn't plain JSON.
    public static let schema = "dionysus-schema"
    /// W3C Trace Context.
    public static let traceParent = "traceparent"
    /// W3C Trace Context, the vendors' part.
    public static let traceState = "tracestate"
}
