import Dionysus
import GRDB

extension OffsetRange {
    /// The bounds of those partitions that exist.
    static func fetch(
        _ partitions: [TopicPartition],
        in connection: Connection
    ) throws -> [TopicPartition: OffsetRange] {
        let query = try connection.cachedStatement(
            sql: """
                SELECT p.first_offset, p.next_offset FROM partitions p JOIN topics t ON t.id = p.topic_id
                WHERE t.name = ? AND p.number = ?
                """
        )
        var ranges: [TopicPartition: OffsetRange] = [:]
        for partition in partitions {
            let row = try Row.fetchOne(query, arguments: [partition.topic, partition.partition])
            ranges[partition] = row.map { OffsetRange(first: $0[0], next: $0[1]) }
        }
        return ranges
    }

    /// The offset of a partition's first message with this timestamp or a later one, or the next offset.
    ///
    /// Timestamps come from clocks that can be set back, so that only looking at each message finds it.
    func offset(of partition: TopicPartition, at time: Timestamp, in connection: Connection) throws -> Int64 {
        let query = try connection.cachedStatement(
            sql: """
                SELECT m.id FROM partitions p JOIN topics t ON t.id = p.topic_id
                JOIN messages m ON m.id >= p.id << \(MessageID.offsetBits) AND m.id < (p.id + 1) << \(MessageID.offsetBits)
                WHERE t.name = ? AND p.number = ? AND m.timestamp >= ? ORDER BY m.id LIMIT 1
                """
        )
        let id = try Int64.fetchOne(query, arguments: [partition.topic, partition.partition, time.microseconds])
        return id.map(MessageID.offset) ?? next
    }
}

extension Timestamp {
    /// The times of the first messages at offsets or behind them.
    static func fetch(
        _ positions: [TopicPartition: Int64],
        in connection: Connection
    ) throws -> [TopicPartition: Timestamp] {
        let query = try connection.cachedStatement(
            sql: """
                SELECT p.id, p.next_offset FROM partitions p JOIN topics t ON t.id = p.topic_id
                WHERE t.name = ? AND p.number = ?
                """
        )
        let message = try connection.cachedStatement(
            sql: "SELECT timestamp FROM messages WHERE id >= ? AND id < ? ORDER BY id LIMIT 1"
        )
        var times: [TopicPartition: Timestamp] = [:]
        for (partition, offset) in positions where offset >= 0 {
            guard let row = try Row.fetchOne(query, arguments: [partition.topic, partition.partition]) else { continue }
            let (id, next): (Int64, Int64) = (row[0], row[1])
            guard offset < next else { continue }
            let time = try Int64.fetchOne(
                message,
                arguments: [
                    MessageID.make(partitionID: id, offset: offset), MessageID.make(partitionID: id, offset: next),
                ]
            )
            times[partition] = time.map { Timestamp(microseconds: $0) }
        }
        return times
    }
}
