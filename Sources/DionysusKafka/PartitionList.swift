import CRdkafka
import Dionysus
import Foundation

/// librdkafka's list of partitions and offsets; it is freed with the value.
struct PartitionList: ~Copyable {
    private let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    init(_ partitions: some Collection<TopicPartition>) {
        self.init(partitions.map { ($0, Int64(RD_KAFKA_OFFSET_INVALID)) })
    }

    init(_ offsets: some Collection<(TopicPartition, Int64)>) {
        pointer = rd_kafka_topic_partition_list_new(Int32(clamping: offsets.count))
        for (partition, offset) in offsets {
            rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.partition).pointee.offset = offset
        }
    }

    /// A list of offsets to commit, all with the same metadata.
    init(_ offsets: some Collection<(TopicPartition, Int64)>, metadata: String?) {
        self.init(offsets)
        guard let metadata else { return }
        for index in 0..<Int(pointer.pointee.cnt) {
            // librdkafka frees it with the list.
            pointer.pointee.elems[index].metadata = UnsafeMutableRawPointer(strdup(metadata))
            pointer.pointee.elems[index].metadata_size = strlen(metadata)
        }
    }

    /// A list of topics to subscribe to.
    init(topics: [String]) {
        pointer = rd_kafka_topic_partition_list_new(Int32(clamping: topics.count))
        for topic in topics { rd_kafka_topic_partition_list_add(pointer, topic, RD_KAFKA_PARTITION_UA) }
    }

    deinit { rd_kafka_topic_partition_list_destroy(pointer) }

    /// Passes the list to librdkafka, and keeps the value alive until the call returns.
    borrowing func lend<T>(_ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) throws -> T) rethrows -> T {
        try body(pointer)
    }

    /// The list's content.
    var elements: [Element] { lend { Self.elements(of: $0) } }

    struct Element {
        var partition: TopicPartition
        var offset: Int64
        var error: rd_kafka_resp_err_t
        /// The metadata committed with the offset.
        var metadata: String?
    }

    /// Reads a list that its caller does not own.
    static func elements(of list: UnsafePointer<rd_kafka_topic_partition_list_t>) -> [Element] {
        UnsafeBufferPointer(start: list.pointee.elems, count: Int(list.pointee.cnt))
            .map {
                Element(
                    partition: TopicPartition(String(cString: $0.topic), $0.partition),
                    offset: $0.offset,
                    error: $0.err,
                    metadata: text($0.metadata, $0.metadata_size)
                )
            }
    }
}

private func text(_ start: UnsafeMutableRawPointer?, _ size: Int) -> String? {
    guard let start, size > 0 else { return nil }
    return String(decoding: UnsafeRawBufferPointer(start: start, count: size), as: UTF8.self)
}
