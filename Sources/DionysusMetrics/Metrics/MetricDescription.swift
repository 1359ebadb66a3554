import Dionysus

/// What a metric is about.
public struct MetricDescription: Sendable, Hashable {
    /// One sentence for people.
    package var help: String
    /// The unit in UCUM, as OpenTelemetry has it: `s`, `By`, `{message}`.
    ///
    /// Timers are in `s` anyway.
    package var unit: String

    /// Creates a description.
    /// - Parameters:
    ///   - help: One sentence for people.
    ///   - unit: The unit in UCUM.
    public init(_ help: String, unit: String = "") {
        self.help = help
        self.unit = unit
    }

    /// Those of the library's own metrics, by name.
    static let own: [String: MetricDescription] = TelemetryName.descriptions
        .mapValues { MetricDescription($0.help, unit: $0.unit) }
        .merging([
            Accounts.sentLabel: MetricDescription(
                "Telemetry that the collector has taken: spans, log records, requests with metrics"
            ),
            Accounts.droppedLabel: MetricDescription("Telemetry that was given up, by reason"),
        ]) { $1 }
}
