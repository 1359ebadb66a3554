import Dionysus

extension DionysusError {
    /// The error of a part of the application, named after the part unless it says enough by itself.
    static func thrown(by part: String, _ error: any Error) -> any Error {
        switch error {
        case is DionysusError, is CancellationError: error
        default: DionysusError(.application, "\(part) failed", underlying: error)
        }
    }
}
