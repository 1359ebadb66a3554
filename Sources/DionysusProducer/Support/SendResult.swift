import Dionysus

/// What became of a message that was given to the broker.
typealias SendResult = Result<Acknowledgement, DionysusError>

extension SendResult {
    var isFailure: Bool { failure != nil }

    /// Whether it is the broker that fails, and not the message.
    var isOfBroker: Bool { failure?.isOfBroker ?? false }
}

extension DionysusError {
    /// Whether it is the broker that fails, and not the message.
    var isOfBroker: Bool { code == .brokerUnavailable || code == .accessDenied }
}
