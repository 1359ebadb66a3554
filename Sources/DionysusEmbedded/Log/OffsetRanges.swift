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
}
