import Dionysus

extension OffsetStore {
    /// Moves an offset, wherever it is.
    func move(_ partition: TopicPartition, to offset: Int64, in transaction: inout Transaction) throws {
        let now = transaction.dialect.now
        try transaction.run(
            """
            INSERT INTO dionysus_offsets ("group", topic, "partition", next_offset, updated_at)
            VALUES (\(group), \(partition.topic), \(partition.partition), \(offset), \(now))
            ON CONFLICT ("group", topic, "partition")
              DO UPDATE SET next_offset = excluded.next_offset, updated_at = excluded.updated_at
            """
        )
    }

    /// Stores an offset where none is stored yet.
    func establish(_ partition: TopicPartition, at offset: Int64, in transaction: inout Transaction) throws {
        let now = transaction.dialect.now
        try transaction.run(
            """
            INSERT INTO dionysus_offsets ("group", topic, "partition", next_offset, updated_at)
            VALUES (\(group), \(partition.topic), \(partition.partition), \(offset), \(now)) ON CONFLICT DO NOTHING
            """
        )
    }

    /// Forgets the failures of messages that are to be delivered again.
    /// - Returns: How many there were.
    func forgetFailures(
        of partition: TopicPartition,
        from offset: Int64,
        in transaction: inout Transaction
    ) throws -> Int {
        try transaction.run(
            """
            DELETE FROM dionysus_failures
            WHERE "group" = \(group) AND topic = \(partition.topic) AND "partition" = \(partition.partition)
              AND "offset" >= \(offset)
            """
        )
        .affectedRows
    }
}
