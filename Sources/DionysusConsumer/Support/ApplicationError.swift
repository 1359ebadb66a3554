import Dionysus

extension DionysusError {
    /// The error of a closure of the application.
    ///
    /// Errors of the database stay what they are, so that a transaction which lost against another is run again. Others are
    /// never retriable: waiting for them would hold up the partition.
    /// - Parameters:
    ///   - error: What the closure has thrown.
    ///   - what: What has failed, as a sentence.
    static func ofApplication(_ error: any Error, _ what: String) -> any Error {
        if error is CancellationError { return error }
        guard var known = error as? DionysusError else {
            return DionysusError(.application, "\(what) with \(Swift.type(of: error))", underlying: error)
        }
        if ![.databaseUnavailable, .transactionConflict].contains(known.code) { known.isRetriable = false }
        return known
    }
}
