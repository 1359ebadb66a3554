import CRdkafka
import Logging

/// What every client reports about itself, whatever its kind.
struct ClientEvents: Sendable {
    let logger: Logger
    let outage: OutageLog
    let onStatistics: (@Sendable (KafkaStatistics) -> Void)?

    /// Handles log lines and statistics.
    /// - Returns: Whether the event was one of these.
    func handle(_ event: OpaquePointer) -> Bool {
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_LOG:
            log(event)
        case RD_KAFKA_EVENT_STATS:
            guard let onStatistics, let text = rd_kafka_event_stats(event) else { return true }
            onStatistics(KafkaStatistics(json: String(cString: text)))
        default:
            return false
        }
        return true
    }

    private func log(_ event: OpaquePointer) {
        var facility: UnsafePointer<CChar>?
        var text: UnsafePointer<CChar>?
        var severity: Int32 = 0
        guard rd_kafka_event_log(event, &facility, &text, &severity) == 0, let text else { return }
        if let facility, OutageLog.facilities.contains(String(cString: facility)) {
            outage.failed(String(cString: text))
            return
        }
        let metadata: Logger.Metadata? = facility.map { ["facility": "\(String(cString: $0))"] }
        logger.log(level: Self.level(ofSeverity: severity), "\(String(cString: text))", metadata: metadata)
    }

    /// librdkafka counts severity as syslog does.
    private static func level(ofSeverity severity: Int32) -> Logger.Level {
        switch severity {
        case ...2: .critical
        case 3: .error
        case 4: .warning
        case 5: .notice
        case 6: .info
        default: .debug
        }
    }
}

/// What a client says about itself every `statistics.interval.ms`, if that setting is given.
public struct KafkaStatistics: Sendable {
    /// The document that librdkafka's STATISTICS.md describes.
    public var json: String
}
