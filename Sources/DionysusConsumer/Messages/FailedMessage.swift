import Dionysus

/// A message that can't be applied, and why.
struct FailedMessage: Sendable {
    let message: ConsumedMessage
    let error: DionysusError
    let attempts: Int
    /// Whether records of it have been applied all the same.
    var isPartial = false
}

extension [FailedMessage] {
    /// The failures with the messages as they came from the broker, so that what is kept of them can be read once more.
    func asReceived(_ messages: [ConsumedMessage]) -> [FailedMessage] {
        guard !isEmpty else { return [] }
        let received = Dictionary(messages.map { ($0.offset, $0) }, uniquingKeysWith: { first, _ in first })
        return map { failure in
            let message = received[failure.message.offset] ?? failure.message
            return FailedMessage(
                message: message,
                error: failure.error,
                attempts: failure.attempts,
                isPartial: failure.isPartial
            )
        }
    }
}

extension DionysusError {
    /// An error that says which message it is about.
    init(in message: ConsumedMessage, _ error: any Error) {
        let place = "\(message.source) offset \(message.offset)"
        if let error = error as? DionysusError {
            self = error
            self.message = "\(place): \(error.message)"
        } else {
            self.init(.application, "\(place): processing the message failed", underlying: error)
        }
    }
}
