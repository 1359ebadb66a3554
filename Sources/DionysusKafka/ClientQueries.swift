import CRdkafka
import Dionysus

/// What a consumer's thread asks the brokers.
extension Client {
    /// The names of all topics; nil if no broker answers.
    func existingTopics() -> Set<String>? {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = rd_kafka_metadata(pointer, 1, nil, &metadata, Int32(Reachability.patience.milliseconds))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata else { return nil }
        defer { rd_kafka_metadata_destroy(metadata) }
        return UnsafeBufferPointer(start: metadata.pointee.topics, count: Int(metadata.pointee.topic_cnt))
            .reduce(into: []) { names, topic in
                if topic.err == RD_KAFKA_RESP_ERR_NO_ERROR { names.insert(String(cString: topic.topic)) }
            }
    }

    /// The bounds of a partition; nil if its broker does not answer.
    func offsetRange(of partition: TopicPartition) -> OffsetRange? {
        var first: Int64 = 0
        var next: Int64 = 0
        let code = rd_kafka_query_watermark_offsets(
            pointer,
            partition.topic,
            partition.partition,
            &first,
            &next,
            5000
        )
        return code == RD_KAFKA_RESP_ERR_NO_ERROR ? OffsetRange(first: first, next: next) : nil
    }
}
