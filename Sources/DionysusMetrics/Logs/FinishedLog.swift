import Logging

/// A log message, as it is sent.
struct FinishedLog: Sendable {
    let time: UInt64
    let level: Logger.Level
    /// Who has logged it.
    let label: String
    let message: String
    let attributes: [(name: String, value: String)]
    let context: SpanContext?
}
