/// The names of message headers.
public enum HeaderName {
    /// The event's id: unique for each published event and the same in all its retries.
    public static let eventID = "dionysus-event-id"
    /// The snapshot's version: a decimal integer; a higher one is at least as recent.
    public static let version = "dionysus-version"
    /// The event's name, in messages that hold a record: `rental_updated`.
    public static let event = "dionysus-event"
    /// The schema that encodes the value, if it isn't plain JSON.
    public static let schema = "dionysus-schema"
    /// W3C Trace Context.
    public static let traceParent = "traceparent"
    /// W3C Trace Context, the vendor-specific part.
    public static let traceState = "tracestate"
}
