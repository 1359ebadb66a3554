import Dionysus

extension DionysusError {
    /// An error as that of the messages that were being applied, whatever a handler of the application has thrown.
    ///
    /// - Returns: nil for what concerns no single message: the work is to end, the declaration does not fit the database, or
    ///   a replica can't be written at all.
    init?(ofMessages error: any Error) {
        switch error {
        case is CancellationError: return nil
        case let error as DionysusError:
            let codes: [DionysusError.Code] = [.declaration, .replicaUnavailable, .accessDenied]
            guard !codes.contains(error.code) else { return nil }
            self = error
        default:
            self.init(
                .application,
                "the application's handling failed with \(Swift.type(of: error))",
                underlying: error
            )
        }
    }

    /// An error that says once which message it is about.
    init(once message: ConsumedMessage, _ error: DionysusError) {
        let place = "\(message.source) offset \(message.offset)"
        self = error.message.hasPrefix(place) ? error : DionysusError(in: message, error)
    }
}
