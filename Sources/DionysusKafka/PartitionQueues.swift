import CRdkafka
import Dionysus

/// The queues that the messages of a member's partitions come through, one for each.
final class PartitionQueues {
    /// What librdkafka reports among the messages.
    struct Fault {
        var code: rd_kafka_resp_err_t
        var partition: TopicPartition
        var offset: Int64

        init(_ message: rd_kafka_message_t, _ partition: TopicPartition) {
            code = message.err
            self.partition = partition
            offset = message.offset
        }
    }

    private struct Queue {
        var partition: TopicPartition
        var pointer: OpaquePointer
        /// The next offset to be read, or the mark of an end of the log.
        var position: Int64
        /// Up to where everything has been fetched, as librdkafka says when it finds nothing more.
        var end: Int64?

        /// Whether there is no message between the position and the end, though they differ.
        ///
        /// Where reading begins with the next message to be written, nothing is passed over.
        var hasGap: Bool {
            guard let end, position != RD_KAFKA_OFFSET_END else { return false }
            return end > max(position, 0)
        }
    }

    private let client: Client
    private let wakeup: Wakeup
    private var queues: [Queue] = []
    /// The partitions whose queues are left unread.
    private var held: Set<TopicPartition> = []
    private var first = 0

    /// Creates an empty set.
    /// - Parameters:
    ///   - client: The consuming client.
    ///   - wakeup: Signalled when an empty queue gets something. It has to outlive the client.
    init(_ client: Client, wakeup: Wakeup) {
        self.client = client
        self.wakeup = wakeup
    }

    /// Where each partition is to be read on.
    var positions: [(TopicPartition, Int64)] { queues.map { ($0.partition, $0.position) } }

    /// Where a partition is to be read on; nil for one that isn't read.
    func position(of partition: TopicPartition) -> Int64? { queues.first { $0.partition == partition }?.position }

    /// Lets the messages of a partition stay in its own queue; it has to precede the partition's assignment.
    func open(_ partition: TopicPartition, at position: Int64) {
        close(partition)
        guard let pointer = rd_kafka_queue_get_partition(client.pointer, partition.topic, partition.partition) else {
            return
        }
        rd_kafka_queue_forward(pointer, nil)
        wakeup.signal(onArrivalIn: pointer)
        queues.append(Queue(partition: partition, pointer: pointer, position: position))
    }

    /// Notes that a partition is read on elsewhere.
    func move(_ partition: TopicPartition, to position: Int64) {
        for index in queues.indices where queues[index].partition == partition {
            queues[index].position = position
            queues[index].end = nil
        }
    }

    /// Reads no more from a partition.
    func close(_ partition: TopicPartition) {
        queues.removeAll { queue in
            guard queue.partition == partition else { return false }
            end(queue)
            return true
        }
    }

    /// Reads no more from any partition.
    func closeAll() {
        queues.forEach(end)
        queues = []
    }

    private func end(_ queue: Queue) {
        rd_kafka_queue_cb_event_enable(queue.pointer, nil, nil)
        rd_kafka_queue_destroy(queue.pointer)
    }

    /// Leaves the queues of partitions unread, with what is in them.
    func hold(_ partitions: [TopicPartition]) { held.formUnion(partitions) }

    /// Reads the queues of partitions again.
    func letGo(_ partitions: [TopicPartition]) { held.subtract(partitions) }

    /// What has been taken, and how much more may be.
    private struct Haul {
        var messages: [ConsumedMessage] = []
        var faults: [Fault] = []
        var messagesLeft: Int
        var bytesLeft: Int

        var isFull: Bool { messagesLeft <= 0 || bytesLeft <= 0 }
    }

    /// Takes what has been fetched, without waiting, beginning with another partition each time.
    /// - Parameters:
    ///   - limit: The most messages that are taken.
    ///   - maxBytes: How many bytes are enough; the last message may exceed them.
    func take(_ limit: Int, maxBytes: Int) -> (messages: [ConsumedMessage], faults: [Fault]) {
        var haul = Haul(messagesLeft: limit, bytesLeft: maxBytes)
        first = queues.isEmpty ? 0 : (first + 1) % queues.count
        for step in queues.indices where !haul.isFull {
            let index = (first + step) % queues.count
            if !held.contains(queues[index].partition) { take(from: &queues[index], &haul) }
        }
        return (haul.messages, haul.faults)
    }

    /// Goes on to where there are no messages before, and says where that is.
    ///
    /// It is asked when no messages have been taken, so that it never comes before one.
    func takeEnds() -> [TopicPartition: Int64] {
        var ends: [TopicPartition: Int64] = [:]
        for index in queues.indices where queues[index].hasGap {
            guard let end = queues[index].end else { continue }
            queues[index].position = end
            ends[queues[index].partition] = end
        }
        return ends
    }

    private func take(from queue: inout Queue, _ haul: inout Haul) {
        // One by one, as only then it is known how large they are.
        while !haul.isFull, let message = rd_kafka_consume_queue(queue.pointer, 0) {
            if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
                haul.messages.append(ConsumedMessage(message, source: queue.partition))
                haul.messagesLeft -= 1
                haul.bytesLeft -= message.pointee.len + message.pointee.key_len
                queue.position = message.pointee.offset + 1
            } else if message.pointee.err == RD_KAFKA_RESP_ERR__PARTITION_EOF {
                queue.end = message.pointee.offset
            } else {
                haul.faults.append(Fault(message.pointee, queue.partition))
            }
            rd_kafka_message_destroy(message)
        }
    }
}

extension ConsumedMessage {
    /// The end of the year 9999.
    private static let lastMillisecond: Int64 = 253_402_300_799_999

    fileprivate init(_ message: UnsafeMutablePointer<rd_kafka_message_t>, source: TopicPartition) {
        let milliseconds = rd_kafka_message_timestamp(message, nil)
        self.init(
            source: source,
            offset: message.pointee.offset,
            key: bytes(message.pointee.key, message.pointee.key_len),
            value: bytes(message.pointee.payload, message.pointee.len),
            headers: Self.headers(of: message),
            // A producer sets it as it likes: what no clock shows is cut off.
            timestamp: Timestamp(microseconds: min(max(0, milliseconds), Self.lastMillisecond) * 1000)
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
