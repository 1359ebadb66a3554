package import Logging
import Tracing

/// Hands log messages to a ``Telemetry``, which sends them.
///
///     LoggingSystem.bootstrap { MultiplexLogHandler([StreamLogHandler.standardError(label: $0), telemetry.logHandler(label: $0)]) }
///
/// A message within a span has the span's ids.
package struct TelemetryLogHandler: LogHandler {
    private let label: String
    private let length: Int
    private let finished: @Sendable (FinishedLog) -> Void
    package var logLevel = Logger.Level.info
    package var metadata = Logger.Metadata()
    package var metadataProvider: Logger.MetadataProvider?

    init(label: String, length: Int, finished: @escaping @Sendable (FinishedLog) -> Void) {
        self.label = label
        self.length = length
        self.finished = finished
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var all = metadata.merging(metadataProvider?.get() ?? [:]) { $1 }.merging(event.metadata ?? [:]) { $1 }
        all["code.namespace"] = .string(event.source)
        if let error = event.error { all["exception.type"] = "\(type(of: error))" }
        finished(
            FinishedLog(
                time: now(),
                level: event.level,
                label: label,
                message: cut(event.message.description),
                attributes: all.sorted { $0.key < $1.key }.prefix(128).map { ($0.key, cut($0.value.description)) },
                context: ServiceContext.current?.spanContext
            )
        )
    }

    private func cut(_ text: String) -> String { text.utf8.count > length ? String(text.prefix(length)) : text }
}
