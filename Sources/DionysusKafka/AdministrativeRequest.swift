import CRdkafka
import Dionysus

extension Administration {
    /// Sends an administrative request and waits for its answer.
    /// - Parameters:
    ///   - operation: The kind of request.
    ///   - activity: What it is for, as errors say it.
    ///   - send: Sends the request with its options; the answer comes to the queue.
    ///   - read: Reads the answer, which doesn't outlive the call.
    func answer<Answer>(
        to operation: rd_kafka_admin_op_t,
        _ activity: String,
        _ client: Client,
        send: (_ options: OpaquePointer?, _ answers: OpaquePointer?) -> Void,
        read: (_ event: OpaquePointer) throws -> Answer
    ) throws -> Answer {
        let options = rd_kafka_AdminOptions_new(client.pointer, operation)
        defer { rd_kafka_AdminOptions_destroy(options) }
        rd_kafka_AdminOptions_set_request_timeout(options, Self.timeout, nil, 0)
        let answers = rd_kafka_queue_new(client.pointer)
        defer { rd_kafka_queue_destroy(answers) }
        send(options, answers)
        guard let event = rd_kafka_queue_poll(answers, -1) else {
            throw unavailable(RD_KAFKA_RESP_ERR__TIMED_OUT, activity)
        }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw unavailable(code, activity) }
        return try read(event)
    }
}
