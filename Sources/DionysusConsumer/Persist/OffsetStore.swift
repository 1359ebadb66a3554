import Dionysus

/// The offsets of a group, kept beside the data so that both change in one transaction.
struct OffsetStore: Sendable {
    let group: String

    /// The stored offsets of topics.
    func load(_ topics: [String], in transaction: inout Transaction) throws -> [TopicPartition: Int64] {
        let values = topics.map { DatabaseValue.text($0) }
        let isTopic = transaction.dialect.isAny("topic", of: values, type: .text)
        let result = try transaction.run(
            """
            SELECT topic, "partition", next_offset FROM dionysus_offsets WHERE "group" = \(group) AND \(isTopic)
            """
        )
        var offsets: [TopicPartition: Int64] = [:]
        for row in result.rows {
            guard let topic = try row.text(0), let partition = try row.integer(1) else { continue }
            offsets[TopicPartition(topic, Int32(partition))] = try row.integer(2)
        }
        return offsets
    }

    /// When each offset was last moved, by the database's clock.
    func lastMoves(in transaction: inout Transaction) throws -> [TopicPartition: Timestamp] {
        let result = try transaction.run(
            "SELECT topic, \"partition\", updated_at FROM dionysus_offsets WHERE \"group\" = \(group)"
        )
        var moves: [TopicPartition: Timestamp] = [:]
        for row in result.rows {
            guard let topic = try row.text(0), let partition = try row.integer(1) else { continue }
            moves[TopicPartition(topic, Int32(partition))] = try row.timestamp(2)
        }
        return moves
    }

    /// Moves an offset, if it is still where it was.
    /// - Throws: ``PositionLost`` if somebody else has moved it.
    func advance(_ advance: OffsetAdvance, in transaction: inout Transaction) throws {
        let (partition, next) = (advance.partition, advance.next)
        let now = transaction.dialect.now
        let statement: SQL =
            if let stored = advance.stored {
                """
                UPDATE dionysus_offsets SET next_offset = \(next), updated_at = \(now)
                WHERE "group" = \(group) AND topic = \(partition.topic) AND "partition" = \(partition.partition)
                  AND next_offset = \(stored)
                """
            } else {
                """
                INSERT INTO dionysus_offsets ("group", topic, "partition", next_offset, updated_at)
                VALUES (\(group), \(partition.topic), \(partition.partition), \(next), \(now)) ON CONFLICT DO NOTHING
                """
            }
        guard try transaction.run(statement).affectedRows == 1 else { throw PositionLost(partition: partition) }
    }
}

/// Where a partition stands, and where it stands afterwards.
struct OffsetAdvance: Sendable {
    let partition: TopicPartition
    /// The stored offset; nil if none is stored.
    let stored: Int64?
    let next: Int64
}

/// Somebody else has moved a partition's offset, so that what was read from there is not this member's to apply.
struct PositionLost: Error {
    let partition: TopicPartition
}
