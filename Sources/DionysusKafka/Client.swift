import CRdkafka
import Dionysus
import Logging

/// A librdkafka client and its event queue.
///
/// `@unchecked Sendable`: librdkafka's functions on a client or a queue may be called from any thread. What is not
/// safe is to call them after the end; the owner of a client therefore has to end it, once, when nothing uses it any more.
struct Client: @unchecked Sendable {
    /// The client.
    let pointer: OpaquePointer
    /// Its event queue.
    let queue: OpaquePointer
    /// The logger for its log lines.
    let logger: Logger

    /// Creates a client.
    /// - Parameters:
    ///   - type: Producer or consumer.
    ///   - events: The kinds of event it reports, in addition to log lines, errors and statistics.
    /// - Throws: ``DionysusError`` with code `configuration` for invalid or contradictory settings.
    init(_ type: rd_kafka_type_t, settings: ClientSettings, events: Int32, logger: Logger) throws {
        let configuration = try settings.makeConfiguration(
            events: events | RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS
        )
        var text = [CChar](repeating: 0, count: 512)
        guard let pointer = rd_kafka_new(type, configuration, &text, text.count) else {
            rd_kafka_conf_destroy(configuration)
            throw DionysusError(
                .configuration,
                "the Kafka client can't be created: \(string(text))",
                advice: "correct the Kafka settings it names"
            )
        }
        if type == RD_KAFKA_CONSUMER { rd_kafka_poll_set_consumer(pointer) }
        let queue = type == RD_KAFKA_CONSUMER ? rd_kafka_queue_get_consumer(pointer) : rd_kafka_queue_get_main(pointer)
        guard let queue else {
            rd_kafka_destroy(pointer)
            throw DionysusError(
                .configuration,
                "the Kafka client has no queue of events",
                advice: "a consumer needs a group id"
            )
        }
        rd_kafka_set_log_queue(pointer, queue)
        self.pointer = pointer
        self.queue = queue
        self.logger = logger
    }

    /// The effective value of a numeric setting.
    func number(_ setting: String) -> Int? {
        var text = [CChar](repeating: 0, count: 64)
        var size = text.count
        guard rd_kafka_conf_get(rd_kafka_conf(pointer), setting, &text, &size) == RD_KAFKA_CONF_OK else { return nil }
        return Int(string(text))
    }

    /// The fatal error that made the client unusable, if any.
    var fatalError: DionysusError? {
        var text = [CChar](repeating: 0, count: 512)
        let code = rd_kafka_fatal_error(pointer, &text, text.count)
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        if code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED {
            return .denied(.accessDenied, "IdempotentWrite", on: "the cluster", string(text))
        }
        return DionysusError(
            .brokerUnavailable,
            "the Kafka client can't continue (\(code.name)): \(string(text))",
            isRetriable: true
        )
    }
}

extension rd_kafka_resp_err_t {
    /// The name in Kafka's protocol, such as `UNKNOWN_TOPIC_OR_PART`.
    var name: String { String(cString: rd_kafka_err2name(self)) }
    /// The description of the code.
    var text: String { String(cString: rd_kafka_err2str(self)) }
}

/// Takes ownership of a librdkafka error object, frees it, and returns its code.
/// - Parameter error: The object, or nil for success.
/// - Returns: Its code.
func takeCode(_ error: OpaquePointer?) -> rd_kafka_resp_err_t {
    guard let error else { return RD_KAFKA_RESP_ERR_NO_ERROR }
    defer { rd_kafka_error_destroy(error) }
    return rd_kafka_error_code(error)
}

/// The text in a C buffer.
func string(_ buffer: [CChar]) -> String {
    String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
