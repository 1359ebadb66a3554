import Dionysus

extension OffsetStore {
    /// Moves an offset, wherever it is.
    ///
    /// The virtual lanes of the partition begin anew: a batch of one of them either has ended by then or finds its lane
    /// gone.
    func move(_ partition: TopicPartition, to offset: Int64, in transaction: inout Transaction) throws {
        try transaction.run([
            """
            INSERT INTO dionysus_offsets ("group", topic, "partition", next_offset, lanes, updated_at)
            VALUES (\(group), \(partition.topic), \(partition.partition), \(offset), 1, \(transaction.dialect.now))
            ON CONFLICT ("group", topic, "partition") DO UPDATE
              SET next_offset = excluded.next_offset, lanes = 1, updated_at = excluded.updated_at, last_message = NULL
            """,
            "DELETE FROM dionysus_lane_offsets WHERE \(isPartition(partition))",
        ])
    }

    /// Stores an offset where none is stored yet.
    func establish(_ partition: TopicPartition, at offset: Int64, in transaction: inout Transaction) throws {
        try transaction.run(insertion(partition, at: offset, lanes: 1, transaction.dialect.now))
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
            WHERE \(isPartition(partition)) AND "offset" >= \(offset)
            """
        )
        .affectedRows
    }

    /// Counts what the event log has of messages that are to be delivered again, or forgets it.
    /// - Returns: How many events there are, or were.
    func events(
        of partition: TopicPartition,
        from offset: Int64,
        forgetting: Bool,
        in transaction: inout Transaction
    ) throws -> Int {
        let condition: SQL = "\(isPartition(partition)) AND \"offset\" >= \(offset)"
        if forgetting { return try transaction.run("DELETE FROM dionysus_events WHERE \(condition)").affectedRows }
        let count = try transaction.run("SELECT count(*) FROM dionysus_events WHERE \(condition)").first?.integer(0)
        return Int(count ?? 0)
    }
}
