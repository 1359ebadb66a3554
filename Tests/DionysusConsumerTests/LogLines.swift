import Dionysus
import DionysusConsumer
import Logging
import Synchronization

/// The lines that a consumer has logged, each with its level.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    /// A logger that writes here.
    var logger: Logger { Logger(label: "test") { _ in Handler(lines: self) } }

    private struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        init(lines: LogLines) { self.lines = lines }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.lines.withLock { $0.append("\(event.level) \(event.message)") }
        }
    }
}

extension ReplicaHarness {
    /// Applies everything that is in the log, and keeps what is logged.
    func consume(
        _ consumer: any Consumer,
        loggingTo lines: LogLines,
        settings: ConsumerSettings = .forTests
    ) async throws {
        try await ConsumerService(
            consumer,
            database: database,
            broker: broker,
            settings: settings,
            mode: .untilCaughtUp,
            logger: lines.logger
        )
        .run()
    }
}
