/// The names of message headers.
package enum HeaderName {
    /// The event's id: unique for each published event and the same in all its retries.
    package static let eventID = "dionysus-event-id"
    /// The snapshot's version: a decimal integer; a higher one is at least as recent.
    package static let version = "dionysus-version"
    /// The event's name, in messages that hold a record: `rental_updated`.
    package static let event = "dionysus-event"
    /// The schema that encodes the value, if it isn't plain JSON.
    package static let schema = "dionysus-schema"
    /// The verification run that the message belongs to.
    package static let verification = "dionysus-verification"
    /// What a message of a verification run tells that is about the run and not about a record.
    package static let verificationMarker = "dionysus-verification-marker"
    /// W3C Trace Context.
    package static let traceParent = "traceparent"
    /// W3C Trace Context, the vendor-specific part.
    package static let traceState = "tracestate"
}
