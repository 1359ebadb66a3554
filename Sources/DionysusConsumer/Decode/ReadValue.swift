import Dionysus

/// A key or a value that has been read.
struct ReadValue: Sendable {
    let json: JSON
    /// The whole name of the record in its schema, if it has one.
    var name: String?
    /// Whether its schema is that of envelopes; nil if it doesn't say.
    var isEnvelope: Bool?
}
