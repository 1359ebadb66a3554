import Dionysus
import GRDB

/// An error of GRDB or of the file system in this library's terms.
struct SQLiteFailure {
    let error: any Error

    init(_ failure: any Error, at path: String) {
        guard let failure = failure as? GRDB.DatabaseError else {
            error = failure is DionysusError || failure is CancellationError ? failure : Self.unreachable(failure, path)
            return
        }
        // GRDB interrupts the statement of a task that is cancelled.
        if failure.resultCode == .SQLITE_INTERRUPT {
            error = CancellationError()
            return
        }
        let (code, advice, isRetriable) = Self.classified(failure)
        var translated = DionysusError(
            code,
            "SQLite at \(path): \(failure.message ?? "error \(failure.resultCode.rawValue)")",
            advice: advice,
            isRetriable: isRetriable,
            underlying: failure
        )
        translated.isRefusalOfAll = Self.isRefusalOfAll(failure)
        error = translated
    }

    /// No such table or column, or a file that can't be written.
    private static func isRefusalOfAll(_ failure: GRDB.DatabaseError) -> Bool {
        if failure.resultCode == .SQLITE_READONLY { return true }
        let message = failure.message ?? ""
        return failure.resultCode == .SQLITE_ERROR
            && (message.hasPrefix("no such table") || message.hasPrefix("no such column")
                || message.contains(" has no column named "))
    }

    private static func unreachable(_ failure: any Error, _ path: String) -> DionysusError {
        DionysusError(
            .databaseUnavailable,
            "SQLite at \(path) can't be opened",
            advice: "check that the directory exists and can be written to",
            underlying: failure
        )
    }

    private static func classified(
        _ failure: GRDB.DatabaseError
    ) -> (code: DionysusError.Code, advice: String?, isRetriable: Bool) {
        switch failure.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            (.transactionConflict, "another program is writing for longer than the busy timeout", true)
        case .SQLITE_CONSTRAINT: (.constraint, nil, false)
        case .SQLITE_FULL: (.databaseUnavailable, "free some space on the disk", true)
        case .SQLITE_IOERR: (.databaseUnavailable, "check the disk", true)
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM:
            (.databaseUnavailable, "check that the directory exists and can be written to", false)
        case .SQLITE_NOTADB, .SQLITE_CORRUPT: (.databaseUnavailable, "the file is no usable SQLite database", false)
        case .SQLITE_MISMATCH: (.typeMismatch, nil, false)
        case .SQLITE_MISUSE: (.closed, "it has been closed, or is used after its end", false)
        case _ where failure.message?.hasPrefix("no such table") == true:
            (.statement, "run migrate, or check the table's name", false)
        default: (.statement, nil, false)
        }
    }
}
