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
    /// The verification run that the message belongs to.
    public static let verification = "dionysus-verification"
    /// What a message of a verification run tells that is about the run and not about a record.
    public static let verificationMarker = "dionysus-verification-marker"
    /// W3C Trace Context.
    public static let traceParent = "traceparent"
    /// W3C Trace Context, the vendor-specific part.
    public static let traceState = "tracestate"
}
