import CRdkafka
import Logging

/// Handles the events common to all kinds of clients.
struct ClientEvents: Sendable {
    let logger: Logger
    let outage: OutageLog
    let commits: CommitLog
    let onStatistics: (@Sendable (KafkaStatistics) -> Void)?
    /// The client's view of the brokers.
    var connectivity = Connectivity()

    /// A copy for another client.
    func forAnotherClient() -> ClientEvents {
        var events = self
        events.connectivity = Connectivity()
        return events
    }

    /// Handles log lines and statistics, and records errors.
    /// - Returns: Whether the event is completely handled.
    func handle(_ event: OpaquePointer) -> Bool {
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_LOG:
            log(event)
        case RD_KAFKA_EVENT_STATS:
            guard let onStatistics, let text = rd_kafka_event_stats(event) else { return true }
            onStatistics(KafkaStatistics(json: String(cString: text)))
        case RD_KAFKA_EVENT_ERROR:
            note(event)
            return false
        default:
            return false
        }
        return true
    }

    /// Requests metadata if reachability is in doubt: some broker must answer.
    /// - Returns: Whether that was done.
    func lookForBrokersIfDue(_ client: Client) -> Bool {
        guard connectivity.isLookDue() else { return false }
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let patience = Int32(Reachability.patience.milliseconds)
        let code = rd_kafka_metadata(client.pointer, 0, nil, &metadata, patience)
        if let metadata { rd_kafka_metadata_destroy(metadata) }
        let found = connectivity.looked(code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : code.text)
        if code == RD_KAFKA_RESP_ERR_NO_ERROR {
            outage.end()
        } else if found?.code == .brokerUnavailable {
            // The code that gets a refusal reports it, with advice.
            outage.begin()
        }
        return true
    }

    private func note(_ event: OpaquePointer) {
        switch rd_kafka_event_error(event) {
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
            connectivity.suspect()
        case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR__SSL, RD_KAFKA_RESP_ERR__TRANSPORT,
            RD_KAFKA_RESP_ERR__RESOLVE:
            if let text = rd_kafka_event_error_string(event) { connectivity.failed(String(cString: text)) }
        default:
            return
        }
    }

    private func log(_ event: OpaquePointer) {
        var facility: UnsafePointer<CChar>?
        var text: UnsafePointer<CChar>?
        var severity: Int32 = 0
        guard rd_kafka_event_log(event, &facility, &text, &severity) == 0, let text else { return }
        switch facility.map({ String(cString: $0) }) {
        case .some(let facility) where OutageLog.facilities.contains(facility):
            outage.failed(String(cString: text))
            connectivity.failed(String(cString: text))
            return
        case CommitLog.facility:
            return commits.failed(String(cString: text))
        default:
            break
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

/// A client's statistics, every `statistics.interval.ms` if that is set.
public struct KafkaStatistics: Sendable {
    /// The document that librdkafka's STATISTICS.md describes.
    public var json: String
}
