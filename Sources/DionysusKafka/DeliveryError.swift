import CRdkafka
import Dionysus

extension DionysusError {
    /// Why a message was not delivered.
    /// - Parameters:
    ///   - code: The error code of librdkafka or the broker.
    static func undelivered(_ code: rd_kafka_resp_err_t, topic: String) -> DionysusError {
        let message = "a message for topic '\(topic)' was not delivered: \(code.text) (\(code.name))"
        switch code {
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE,
            RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
            return DionysusError(
                .messageRejected,
                message,
                advice: "make the message smaller, or raise message.max.bytes here and max.message.bytes of the topic"
            )
        case RD_KAFKA_RESP_ERR_INVALID_MSG, RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,
            RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, RD_KAFKA_RESP_ERR__INVALID_ARG:
            return DionysusError(.messageRejected, message)
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            return .denied(.topicDenied, "Write", on: "the topic '\(topic)'", "\(code.text) (\(code.name))")
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
            return .denied(.accessDenied, "IdempotentWrite", on: "the cluster", "\(code.text) (\(code.name))")
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
            RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
            return DionysusError(
                .unknownTopic,
                message,
                advice: "create it with `topics --create`, or correct its name"
            )
        case RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
            return DionysusError(
                .brokerUnavailable,
                "a message for topic '\(topic)' was dropped before the broker acknowledged it",
                isRetriable: true
            )
        default:
            return DionysusError(.brokerUnavailable, message, isRetriable: true)
        }
    }
}
