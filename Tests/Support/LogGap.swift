public import Dionysus
import DionysusSQLite

/// Skips offsets in a partition of an embedded log, like transaction markers in Kafka.
public func leaveGap(of count: Int, in partition: TopicPartition, _ broker: any MessageBroker) async throws {
    let database = try SQLiteDatabase(path: String(broker.location.dropFirst("embedded:".count)))
    let changed = try await database.transaction(.write) { transaction in
        try transaction.run(
            """
            UPDATE partitions SET next_offset = next_offset + \(count)
            WHERE number = \(partition.partition) AND topic_id = (SELECT id FROM topics WHERE name = \(partition.topic))
            """
        )
        .affectedRows
    }
    await database.close()
    guard changed == 1 else { throw DionysusError(.notFound, "there is no partition \(partition)") }
}
