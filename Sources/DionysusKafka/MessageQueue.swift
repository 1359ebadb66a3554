import CRdkafka
import Dionysus

/// The queue that all fetched messages of a consumer come through.
final class MessageQueue {
    /// What librdkafka reports among the messages.
    struct Fault {
        var code: rd_kafka_resp_err_t
        var partition: TopicPartition?
        var offset: Int64

        init(_ message: rd_kafka_message_t, _ partition: TopicPartition?) {
            code = message.err
            self.partition = partition
            offset = message.offset
        }
    }

    let pointer: OpaquePointer?
    private let client: Client
    private var batch: [UnsafeMutablePointer<rd_kafka_message_t>?] = []
    private var names: [OpaquePointer: String] = [:]

    init(_ client: Client) {
        self.client = client
        pointer = rd_kafka_queue_new(client.pointer)
    }

    func end() { rd_kafka_queue_destroy(pointer) }

    /// Lets the messages of a partition come here; it has to precede its assignment, or the first ones go astray.
    func collect(_ partition: TopicPartition) {
        guard let queue = rd_kafka_queue_get_partition(client.pointer, partition.topic, partition.partition) else {
            return
        }
        rd_kafka_queue_forward(queue, pointer)
        rd_kafka_queue_destroy(queue)
    }

    /// Takes what has been fetched, without waiting.
    func take(_ limit: Int) -> (messages: [ConsumedMessage], faults: [Fault]) {
        let size = min(limit, 10_000)
        if batch.count < size { batch = Array(repeating: nil, count: size) }
        let count = rd_kafka_consume_batch_queue(pointer, 0, &batch, size)
        guard count > 0 else { return ([], []) }
        var messages: [ConsumedMessage] = []
        var faults: [Fault] = []
        messages.reserveCapacity(count)
        for index in 0..<count {
            guard let message = batch[index] else { continue }
            let source = message.pointee.rkt.map { TopicPartition(name(of: $0), message.pointee.partition) }
            if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR, let source {
                messages.append(ConsumedMessage(message, source: source))
            } else {
                faults.append(Fault(message.pointee, source))
            }
            rd_kafka_message_destroy(message)
        }
        return (messages, faults)
    }

    /// The name of a topic, read from C once.
    private func name(of topic: OpaquePointer) -> String {
        if let name = names[topic] { return name }
        let name = String(cString: rd_kafka_topic_name(topic))
        names[topic] = name
        return name
    }
}

extension ConsumedMessage {
    fileprivate init(_ message: UnsafeMutablePointer<rd_kafka_message_t>, source: TopicPartition) {
        let milliseconds = rd_kafka_message_timestamp(message, nil)
        self.init(
            source: source,
            offset: message.pointee.offset,
            key: bytes(message.pointee.key, message.pointee.key_len),
            value: bytes(message.pointee.payload, message.pointee.len),
            headers: Self.headers(of: message),
            timestamp: Timestamp(microseconds: max(0, milliseconds) * 1000)
        )
    }

    private static func headers(of message: UnsafeMutablePointer<rd_kafka_message_t>) -> [MessageHeader] {
        var list: OpaquePointer?
        guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return [] }
        return (0..<rd_kafka_header_cnt(list))
            .compactMap { index in
                var name: UnsafePointer<CChar>?
                var value: UnsafeRawPointer?
                var size = 0
                let code = rd_kafka_header_get_all(list, index, &name, &value, &size)
                guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let name else { return nil }
                return MessageHeader(String(cString: name), bytes(value, size) ?? [])
            }
    }
}

private func bytes(_ start: UnsafeRawPointer?, _ count: Int) -> [UInt8]? {
    start.map { Array(UnsafeRawBufferPointer(start: $0, count: count)) }
}
