import Dionysus
import GRDB

extension LogFile {
    /// The error that a caller of the broker gets for what SQLite says.
    static func mapped(_ error: any Error, path: String) -> any Error {
        guard let error = error as? DatabaseError else { return error }
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return DionysusError(
                .brokerUnavailable,
                "another process keeps the embedded log \(path) locked",
                advice: "end the process that holds a transaction open on it",
                isRetriable: true,
                underlying: error
            )
        case .SQLITE_FULL:
            return DionysusError(
                .brokerUnavailable,
                "no space is left for the embedded log \(path)",
                advice: "free disk space, or set a retention",
                isRetriable: true,
                underlying: error
            )
        case .SQLITE_NOTADB, .SQLITE_CORRUPT:
            return DionysusError(
                .malformed,
                "\(path) is not an embedded log, or it is damaged",
                advice: "check the path; a damaged log can be moved away, and a new one is created",
                underlying: error
            )
        case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_READONLY, .SQLITE_AUTH:
            return DionysusError(
                .brokerUnavailable,
                "the embedded log \(path) can't be opened for writing",
                advice: "check the path and the permissions of the file and its directory",
                underlying: error
            )
        case .SQLITE_MISUSE:
            return closedError(path)
        default:
            return DionysusError(
                .brokerUnavailable,
                "the embedded log \(path) can't be read or written (SQLite result code \(error.extendedResultCode.rawValue))",
                isRetriable: error.resultCode == .SQLITE_IOERR,
                underlying: error
            )
        }
    }

    static func closedError(_ path: String) -> DionysusError {
        DionysusError(.closed, "the embedded log \(path) has been closed")
    }
}
