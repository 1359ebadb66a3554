import CRdkafka
import Dionysus

/// Turns start positions into offsets, or into the marks by which librdkafka knows the ends of a log.
struct StartOffsets: Sendable {
    /// Asks the cluster where partitions stood at a time.
    let offsetsAtTime: @Sendable ([TopicPartition], Timestamp) async throws -> [TopicPartition: Int64]

    /// - Throws: ``DionysusError`` with code `offsetOutOfRange` for a negative offset, which librdkafka would take for
    ///   one of its own marks; `brokerUnavailable` if the cluster can't be asked for the offsets of a time.
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
            // Of a partition that the cluster does not tell about, nothing is skipped.
            for partition in partitions { offsets[partition] = found[partition] ?? Int64(RD_KAFKA_OFFSET_BEGINNING) }
        }
        return offsets
    }
}
