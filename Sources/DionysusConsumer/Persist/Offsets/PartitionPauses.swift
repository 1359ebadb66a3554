package import Dionysus

/// A partition that an operator has paused: nothing of it is applied until it is resumed.
package struct PausedPartition: Sendable, Hashable {
    /// The partition.
    package let partition: TopicPartition
    /// Who has paused it.
    package let actor: String
    /// When that was, by the database's clock.
    package let since: Timestamp?

    init?(_ row: Row) throws {
        guard let topic = try row.text(0), let number = try row.integer(1) else { return nil }
        partition = TopicPartition(topic, Int32(truncatingIfNeeded: number))
        actor = try row.text(2) ?? ""
        since = try row.timestamp(3)
    }
}

/// The statements on the partitions of a group that are paused.
///
/// Running consumers look at them every two seconds, and when they are given partitions.
struct PartitionPauses: Sendable {
    let group: String

    /// Those that are paused, in the order of the partitions.
    func load(in transaction: inout Transaction) throws -> [PausedPartition] {
        let result = try transaction.run(
            """
            SELECT topic, "partition", paused_by, paused_at FROM dionysus_pauses
            WHERE "group" = \(group) ORDER BY topic, "partition"
            """
        )
        return try result.rows.compactMap { try PausedPartition($0) }
    }

    /// Pauses partitions; who has paused one first stays.
    /// - Returns: How many were not paused yet.
    func pause(_ partitions: [TopicPartition], by actor: String, in transaction: inout Transaction) throws -> Int {
        let now = transaction.dialect.now
        let statements = partitions.map { partition -> SQL in
            """
            INSERT INTO dionysus_pauses ("group", topic, "partition", paused_by, paused_at)
            VALUES (\(group), \(partition.topic), \(partition.partition), \(actor), \(now))
            ON CONFLICT DO NOTHING
            """
        }
        return try transaction.run(statements).reduce(0) { $0 + $1.affectedRows }
    }

    /// Resumes a partition of a topic, or all of them.
    /// - Returns: How many were paused.
    func resume(_ topic: String, _ partition: Int32?, in transaction: inout Transaction) throws -> Int {
        let isMeant: SQL = partition.map { "AND \"partition\" = \($0)" } ?? ""
        let statement: SQL = "DELETE FROM dionysus_pauses WHERE \"group\" = \(group) AND topic = \(topic) \(isMeant)"
        return try transaction.run(statement).affectedRows
    }
}
