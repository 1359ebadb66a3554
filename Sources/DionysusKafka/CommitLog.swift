import Logging
import Synchronization

/// Logs once when the broker stops accepting the group's offsets, and once when it accepts them again.
///
/// Hundreds of commits fail while a group's coordinator is unavailable. Only tools that show lag depend on these
/// offsets.
final class CommitLog: Sendable {
    /// librdkafka's facilities of log lines about failed commits.
    static let facility = "COMMITFAIL"

    private let logger: Logger
    private let isFailing = Mutex(false)

    init(logger: Logger) { self.logger = logger }

    func failed(_ reason: String) {
        let isNew = isFailing.withLock { isFailing in
            defer { isFailing = true }
            return !isFailing
        }
        guard isNew else { return logger.debug("\(reason)") }
        logger.warning("Kafka does not accept the group's offsets, which only affects the lag in tools: \(reason)")
    }

    func succeeded() {
        let hasFailed = isFailing.withLock { isFailing in
            defer { isFailing = false }
            return isFailing
        }
        if hasFailed { logger.notice("Kafka accepts the group's offsets again") }
    }
}
