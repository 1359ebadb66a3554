import CRdkafka
import Dionysus

/// Converts start positions to offsets, or to librdkafka's special offsets for the ends of a log.
struct StartOffsets: Sendable {
    /// Looks up offsets by time in the cluster.
    let offsetsAtTime: @Sendable ([TopicPartition], Timestamp) async throws -> [TopicPartition: Int64]

    /// - Throws: ``DionysusError`` with code `offsetOutOfRange` for a negative offset, which librdkafka would interpret
    ///   as a special offset; `brokerUnavailable` if the cluster can't be queried for offsets by time.
    func offsets(of positions: [TopicPartition: StartPosition]) async throws -> [TopicPartition: Int64] {
        var offsets: [TopicPartition: Int64] = [:]
        var times: [Timestamp: [TopicPartition]] = [:]
        for (partition, position) in positions {
            switch position {
            case .earliest: offsets[partition] = Int64(RD_KAFKA_OFFSET_BEGINNING)
            case .latest: offsets[partition] = Int64(RD_KAFKA_OFFSET_END)
            case .offset(let offset):
                guard offset >= 0 else {
                    throw DionysusError(.offsetOutOfRange, "\(partition) can't be read from offset \(offset)")
                }
                offsets[partition] = offset
            case .time(let time): times[time, default: []].append(partition)
            }
        }
        for (time, partitions) in times {
            let found = try await offsetsAtTime(partitions, time)
            // Without an answer for a partition, none of it is skipped.
            for partition in partitions { offsets[partition] = found[partition] ?? Int64(RD_KAFKA_OFFSET_BEGINNING) }
        }
        return offsets
    }
}
