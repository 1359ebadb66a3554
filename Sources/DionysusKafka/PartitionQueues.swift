import CRdkafka
import Dionysus

/// The message queues of a member's partitions.
final class PartitionQueues {
    /// An event that librdkafka reports among the messages.
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
        /// The next offset to read, or a special offset for an end of the log.
        var position: Int64
        /// The offset up to which everything has been fetched, which librdkafka reports at the end of a partition.
        var end: Int64?

        /// Whether the position is before the end, but without messages in between.
        ///
        /// False if reading starts at the next message to be written.
        var hasGap: Bool {
            guard let end, position != RD_KAFKA_OFFSET_END else { return false }
            return end > max(position, 0)
        }
    }

    private let client: Client
    private let wakeup: Wakeup
    private var queues: [Queue] = []
    /// The partitions whose queues are left unread.
    private(set) var held: Set<TopicPartition> = []
    private var first = 0

    /// Creates an empty set.
    /// - Parameters:
    ///   - client: The consuming client.
    ///   - wakeup: Signalled when an empty queue receives an event. It must outlive the client.
    init(_ client: Client, wakeup: Wakeup) {
        self.client = client
        self.wakeup = wakeup
    }

    /// The next position of each partition.
    var positions: [(TopicPartition, Int64)] { queues.map { ($0.partition, $0.position) } }

    /// The next position of a partition; nil if it isn't being read.
    func position(of partition: TopicPartition) -> Int64? { queues.first { $0.partition == partition }?.position }

    /// Keeps a partition's messages in a separate queue; call it before the partition's assignment.
    func open(_ partition: TopicPartition, at position: Int64) {
        close(partition)
        guard let pointer = rd_kafka_queue_get_partition(client.pointer, partition.topic, partition.partition) else {
            return
        }
        rd_kafka_queue_forward(pointer, nil)
        wakeup.signal(onArrivalIn: pointer)
        queues.append(Queue(partition: partition, pointer: pointer, position: position))
    }

    /// Records a partition's new position.
    func move(_ partition: TopicPartition, to position: Int64) {
        for index in queues.indices where queues[index].partition == partition {
            queues[index].position = position
            queues[index].end = nil
        }
    }

    /// Stops reading a partition.
    func close(_ partition: TopicPartition) {
        queues.removeAll { queue in
            guard queue.partition == partition else { return false }
            end(queue)
            return true
        }
    }

    /// Stops reading all partitions.
    func closeAll() {
        queues.forEach(end)
        queues = []
    }

    private func end(_ queue: Queue) {
        rd_kafka_queue_cb_event_enable(queue.pointer, nil, nil)
        rd_kafka_queue_destroy(queue.pointer)
    }

    /// Pauses reading the queues of partitions, and keeps their messages.
    func hold(_ partitions: [TopicPartition]) { held.formUnion(partitions) }

    /// Resumes reading the queues of partitions.
    func letGo(_ partitions: [TopicPartition]) { held.subtract(partitions) }

    /// What has been taken, and the remaining limits.
    struct Haul {
        fileprivate(set) var messages: [ConsumedMessage] = []
        fileprivate(set) var faults: [Fault] = []
        /// The size of the largest message of each partition that something was taken of, its end included.
        fileprivate(set) var sizes: [TopicPartition: Int] = [:]
        fileprivate var messagesLeft: Int
        fileprivate var bytesLeft: Int

        fileprivate var isFull: Bool { messagesLeft <= 0 || bytesLeft <= 0 }
    }

    /// Takes fetched messages without waiting, starting with a different partition each time.
    /// - Parameters:
    ///   - limit: The maximum number of messages.
    ///   - maxBytes: The byte limit; the last message may exceed it.
    func take(_ limit: Int, maxBytes: Int) -> Haul {
        var haul = Haul(messagesLeft: limit, bytesLeft: maxBytes)
        first = queues.isEmpty ? 0 : (first + 1) % queues.count
        for step in queues.indices where !haul.isFull {
            let index = (first + step) % queues.count
            if !held.contains(queues[index].partition) { take(from: &queues[index], &haul) }
        }
        return haul
    }

    /// Drops what librdkafka has fetched of partitions that have just been paused, whose memory it keeps until then.
    /// - Parameter haul: Gets what the pause has not made stale, so that nothing is lost.
    func drop(_ partitions: [TopicPartition], _ haul: inout Haul) {
        for index in queues.indices where partitions.contains(queues[index].partition) {
            var rest = Haul(messagesLeft: .max, bytesLeft: .max)
            take(from: &queues[index], &rest)
            haul.messages += rest.messages
            haul.faults += rest.faults
        }
    }

    /// Advances positions past gaps, and returns the new positions.
    ///
    /// It is called only when no messages were taken, so a gap is never reported before a preceding message.
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
        // One by one, because the size is known only then.
        var largest: Int?
        while !haul.isFull, let message = rd_kafka_consume_queue(queue.pointer, 0) {
            let size = message.pointee.len + message.pointee.key_len
            if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
                haul.messages.append(ConsumedMessage(message, source: queue.partition))
                haul.messagesLeft -= 1
                haul.bytesLeft -= size
                largest = max(largest ?? 0, size)
                queue.position = message.pointee.offset + 1
            } else if message.pointee.err == RD_KAFKA_RESP_ERR__PARTITION_EOF {
                queue.end = message.pointee.offset
                largest = largest ?? 0
            } else {
                haul.faults.append(Fault(message.pointee, queue.partition))
            }
            rd_kafka_message_destroy(message)
        }
        if let largest { haul.sizes[queue.partition] = largest }
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
            // A producer can set any value, so it is clamped.
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
