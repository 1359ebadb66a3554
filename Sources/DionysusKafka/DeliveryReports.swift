import CRdkafka
import Dionysus
import Logging
import Synchronization

/// What librdkafka reports: deliveries, and errors of the client.
extension ProducerSession {
    func handle(_ event: OpaquePointer) {
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_DR:
            let reports = deliveryReports(event)
            // Space becomes available only when librdkafka gets its messages back.
            rd_kafka_event_destroy(event)
            settle(reports)
        case RD_KAFKA_EVENT_ERROR:
            let code = rd_kafka_event_error(event)
            _ = events.handle(event)
            rd_kafka_event_destroy(event)
            fail(code)
        default:
            _ = events.handle(event)
            rd_kafka_event_destroy(event)
        }
    }

    private func deliveryReports(_ event: OpaquePointer) -> [DeliveryTable.Report] {
        let count = rd_kafka_event_message_count(event)
        var messages = [UnsafePointer<rd_kafka_message_t>?](repeating: nil, count: count)
        let taken = rd_kafka_event_message_array(event, &messages, count)
        return messages.prefix(taken)
            .compactMap { message in
                guard let message = message?.pointee else { return nil }
                return DeliveryTable.Report(
                    tag: DeliveryTable.Tag(message._private),
                    code: message.err,
                    acknowledgement: Acknowledgement(partition: message.partition, offset: message.offset)
                )
            }
    }

    private func settle(_ reports: [DeliveryTable.Report]) {
        // One report of a batch is enough to judge the state of the brokers.
        switch reports.first?.code {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
            events.connectivity.served()
            table.withLock { $0.outage = nil }
            events.outage.end()
        case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR__TRANSPORT:
            events.connectivity.suspect()
        case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
            // librdkafka drops its messages before it reports a fatal error.
            if let error = client.fatalError, error.code == .accessDenied { table.withLock { $0.denial = error } }
        default: break
        }
        let (completions, waiting) = table.withLock { table in
            let completions = table.settle(reports)
            return (completions, table.makeRoom())
        }
        completions.forEach { $0.resume() }
        waiting.forEach { $0.resume() }
    }

    /// An idempotent client that is no longer sure of its sequence is of no use; what it has in flight ends at once.
    private func fail(_ code: rd_kafka_resp_err_t) {
        guard code == RD_KAFKA_RESP_ERR__FATAL, let error = client.fatalError else {
            return events.logger.debug("Kafka producer: \(code.text)")
        }
        if error.code == .accessDenied {
            // The senders whose messages fail report it.
            table.withLock { $0.denial = error }
        } else {
            events.logger.warning("\(error); another client replaces it")
        }
        drain(until: .now)
    }
}

extension DeliveryTable.Completion {
    func resume() { continuation.resume(returning: results) }
}
