import CoreMetrics

/// The kinds of telemetry.
enum Signal: String, Sendable, CaseIterable {
    case metrics
    case traces
    case logs

    /// What is counted of it.
    var elements: String {
        switch self {
        case .metrics: "requests with metrics"
        case .traces: "spans"
        case .logs: "log messages"
        }
    }
}

/// Counts what was sent, and what was given up, as metrics.
struct Accounts: Sendable {
    /// Why something was given up.
    enum Reason: String, CaseIterable {
        /// More waited than there is room for.
        case queueFull = "queue_full"
        /// The collector said that it doesn't take it.
        case rejected
        /// The collector could not be reached, or was busy, for too long.
        case unreachable
    }

    static let sentLabel = "dionysus.telemetry.sent"
    static let droppedLabel = "dionysus.telemetry.dropped"

    private let sent: [Signal: Counter]
    private let dropped: [Signal: [Reason: Counter]]

    init(_ factory: any MetricsFactory, _ signals: [Signal]) {
        let counter = { (label: String, dimensions: [(String, String)]) in
            Counter(label: label, dimensions: dimensions, factory: factory)
        }
        sent = Dictionary(
            uniqueKeysWithValues: signals.map { ($0, counter(Self.sentLabel, [("signal", $0.rawValue)])) }
        )
        dropped = Dictionary(
            uniqueKeysWithValues: signals.map { signal in
                let reasons = Reason.allCases.map {
                    ($0, counter(Self.droppedLabel, [("reason", $0.rawValue), ("signal", signal.rawValue)]))
                }
                return (signal, Dictionary(uniqueKeysWithValues: reasons))
            }
        )
    }

    func sent(_ count: Int, _ signal: Signal) { sent[signal]?.increment(by: count) }

    func dropped(_ count: Int, _ signal: Signal, _ reason: Reason) { dropped[signal]?[reason]?.increment(by: count) }
}
