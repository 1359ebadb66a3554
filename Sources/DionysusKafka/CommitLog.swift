import Logging
import Synchronization

/// Tells once that the broker takes no offsets of the group, and once that it takes them again.
///
/// Hundreds of commits fail while a group's coordinator is away. Nothing depends on these offsets but tools that show lag.
final class CommitLog: Sendable {
    /// What librdkafka calls the lines that say why a commit failed.
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
