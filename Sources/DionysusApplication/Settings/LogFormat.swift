import Dionysus
import Logging

import class Foundation.FileHandle

/// The format of the default log handler.
public enum LogFormat: String, Sendable, Hashable, CaseIterable {
    /// A line of text for each message, for human readers.
    case text
    /// A line with a JSON object for each message, for programs: `time`, `level`, `label`, `source`, `message` and
    /// `metadata`.
    case json
}

/// The default log handler.
///
/// It writes to standard error, so that reports on standard output can be piped, and escapes each message into a single
/// line without control characters.
func makeLogHandler(label: String, format: LogFormat) -> any LogHandler {
    switch format {
    case .text: StreamLogHandler(label: label, stream: PrintableErrorStream())
    case .json: JSONLogHandler(label: label)
    }
}

/// Writes lines to standard error.
private struct PrintableErrorStream: TextOutputStream, Sendable {
    func write(_ text: String) {
        let line = text.hasSuffix("\n") ? text.dropLast() : text[...]
        let bytes = Array((String(line).printable() + "\n").utf8)
        FileHandle.standardError.write(bytes.withUnsafeBufferPointer { .init(buffer: $0) })
    }
}

private struct JSONLogHandler: LogHandler {
    let label: String
    var logLevel = Logger.Level.info
    var metadata = Logger.Metadata()
    var metadataProvider = LoggingSystem.metadataProvider

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata.merging(metadataProvider?.get() ?? [:]) { $1 }.merging(event.metadata ?? [:]) { $1 }
        if let error = event.error { all["error"] = "\(error)" }
        var line: JSON.Object = [
            "time": .string(Timestamp.now.description), "level": .string(event.level.rawValue), "label": .string(label),
            "source": .string(event.source), "message": .string(event.message.description),
        ]
        if !all.isEmpty { line["metadata"] = Self.json(.dictionary(all)) }
        PrintableErrorStream().write(JSON.object(line).text)
    }

    private static func json(_ value: Logger.Metadata.Value) -> JSON {
        switch value {
        case .string(let text): .string(text)
        case .stringConvertible(let value): .string(value.description)
        case .array(let values): .array(values.map(json))
        case .dictionary(let values):
            .object(
                JSON.Object(values.sorted { $0.key < $1.key }.map { JSON.Object.Member($0.key, json($0.value)) })
            )
        }
    }
}
