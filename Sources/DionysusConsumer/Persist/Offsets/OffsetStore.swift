import Dionysus

/// The offsets of a group, kept beside the data so that both change in one transaction.
struct OffsetStore: Sendable {
    let group: String

    /// The stored positions of topics' partitions.
    func load(_ topics: [String], in transaction: inout Transaction) throws -> [TopicPartition: StoredPosition] {
        let values = topics.map { DatabaseValue.text($0) }
        let isTopic = transaction.dialect.isAny("topic", of: values, type: .text)
        let results = try transaction.run([
            """
            SELECT topic, "partition", next_offset, last_message FROM dionysus_offsets WHERE "group" = \(group) AND \(isTopic)
            """,
            """
            SELECT topic, "partition", next_offset FROM dionysus_lane_offsets
            WHERE "group" = \(group) AND \(isTopic) ORDER BY lane
            """,
        ])
        var positions: [TopicPartition: StoredPosition] = [:]
        for row in results[0].rows {
            guard let (partition, next) = try Self.offset(row) else { continue }
            positions[partition] = StoredPosition(next: next, mark: try row.text(3).flatMap { LogMark($0) })
        }
        for row in results[1].rows {
            guard let (partition, next) = try Self.offset(row) else { continue }
            positions[partition]?.laneOffsets.append(next)
        }
        return positions
    }

    private static func offset(_ row: Row) throws -> (TopicPartition, Int64)? {
        guard let topic = try row.text(0), let partition = try row.integer(1), let next = try row.integer(2) else {
            return nil
        }
        return (TopicPartition(topic, Int32(partition)), next)
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

    /// Moves an offset, and refuses the transaction if another member has moved it already.
    /// - Parameter mark: The last message before the offset; nil to keep what is known of an earlier one.
    func advance(
        _ cursor: OffsetCursor,
        to next: Int64,
        mark: LogMark?,
        _ dialect: any SQLDialect,
        in preamble: inout Preamble
    ) {
        let now = dialect.now
        let isPartition = isPartition(cursor.partition)
        let statement: SQL =
            switch (cursor.lane, cursor.stored) {
            case (let lane?, let stored):
                """
                UPDATE dionysus_lane_offsets SET next_offset = \(next)
                WHERE \(isPartition) AND lane = \(lane) AND next_offset = \(stored.databaseValue)
                """
            case (nil, let stored?):
                """
                UPDATE dionysus_offsets SET next_offset = \(next), updated_at = \(now)\(Self.assignment(of: mark))
                WHERE \(isPartition) AND next_offset = \(stored) AND lanes = 1
                """
            case (nil, nil): insertion(cursor.partition, at: next, lanes: 1, mark: mark, now)
            }
        preamble.add([statement]) { results, _ in
            results[0].affectedRows == 1 ? nil : .positionLost(cursor.partition)
        }
    }

    /// Moves a partition's offset up to where all of its lanes are finished.
    /// - Returns: Whether it was moved; another member may have done so.
    func follow(
        _ partition: TopicPartition,
        from stored: Int64,
        to next: Int64,
        lanes: Int,
        mark: LogMark?,
        in transaction: inout Transaction
    ) throws -> Bool {
        let statement: SQL = """
            UPDATE dionysus_offsets SET next_offset = \(next),
              updated_at = \(transaction.dialect.now)\(Self.assignment(of: mark))
            WHERE \(isPartition(partition)) AND next_offset = \(stored) AND lanes = \(lanes)
            """
        return try transaction.run(statement).affectedRows == 1
    }

    /// Lets a partition begin anew at an offset, with all of its lanes, if it is still where it was.
    ///
    /// The rows of the lanes are locked before they are compared, so that a batch of a member that has lost the partition
    /// either is seen here or finds its lane gone.
    /// - Parameter isElsewhere: Whether the offset is another place in the log than before, or in another log.
    /// - Returns: Whether it was moved; if another member has done so, the transaction has to be rolled back.
    func restart(
        _ partition: TopicPartition,
        from stored: StoredPosition?,
        at position: StoredPosition,
        isElsewhere: Bool = false,
        in transaction: inout Transaction
    ) throws -> Bool {
        let now = transaction.dialect.now
        let isPartition = isPartition(partition)
        let forgetting: SQL = isElsewhere ? ", last_message = NULL" : ""
        guard let stored else {
            let statement = insertion(partition, at: position.next, lanes: position.lanes, now)
            guard try transaction.run(statement).affectedRows == 1 else { return false }
            try insertLanes(of: partition, position, in: &transaction)
            return true
        }
        let statement: SQL = """
            UPDATE dionysus_offsets SET next_offset = \(position.next), lanes = \(position.lanes), updated_at = \(now)\(forgetting)
            WHERE \(isPartition) AND next_offset = \(stored.next) AND lanes = \(stored.lanes)
            """
        guard try transaction.run(statement).affectedRows == 1 else { return false }
        let found = try transaction.run(
            """
            SELECT next_offset FROM dionysus_lane_offsets WHERE \(isPartition) ORDER BY lane
            \(raw: transaction.dialect.forUpdate)
            """
        )
        let offsets = try found.rows.compactMap { try $0.integer(0) }
        guard offsets == stored.laneOffsets else { return false }
        try transaction.run("DELETE FROM dionysus_lane_offsets WHERE \(isPartition)")
        try insertLanes(of: partition, position, in: &transaction)
        return true
    }

    private func insertLanes(
        of partition: TopicPartition,
        _ position: StoredPosition,
        in transaction: inout Transaction
    ) throws {
        guard !position.laneOffsets.isEmpty else { return }
        try transaction.run(
            position.laneOffsets.enumerated()
                .map { lane, offset in
                    """
                    INSERT INTO dionysus_lane_offsets ("group", topic, "partition", lane, next_offset)
                    VALUES (\(group), \(partition.topic), \(partition.partition), \(lane), \(offset))
                    """
                }
        )
    }

    func insertion(
        _ partition: TopicPartition,
        at next: Int64,
        lanes: Int,
        mark: LogMark? = nil,
        _ now: SQL
    ) -> SQL {
        """
        INSERT INTO dionysus_offsets ("group", topic, "partition", next_offset, lanes, updated_at, last_message)
        VALUES (\(group), \(partition.topic), \(partition.partition), \(next), \(lanes), \(now),
          \((mark?.text).databaseValue))
        ON CONFLICT DO NOTHING
        """
    }

    private static func assignment(of mark: LogMark?) -> SQL {
        mark.map { ", last_message = \($0.text)" } ?? ""
    }

    func isPartition(_ partition: TopicPartition) -> SQL {
        "\"group\" = \(group) AND topic = \(partition.topic) AND \"partition\" = \(partition.partition)"
    }
}

/// Where a partition stands.
struct StoredPosition: Sendable, Hashable {
    /// All messages below this offset are finished.
    var next: Int64
    /// Messages of a virtual lane below its offset are finished; empty where the partition has no lanes.
    var laneOffsets: [Int64] = []
    /// The last message before the offset that was applied, if it is known.
    var mark: LogMark?

    /// How many lanes the partition has.
    var lanes: Int { max(laneOffsets.count, 1) }
    /// The first offset above which nothing has been finished.
    var end: Int64 { laneOffsets.reduce(next, max) }
}

/// The offset that a batch moves: that of a partition, or that of one of its virtual lanes.
struct OffsetCursor: Sendable, Hashable {
    let partition: TopicPartition
    let lane: Int?
    /// What has to be stored before; nil if nothing is.
    var stored: Int64?

    init(_ partition: TopicPartition, lane: Int? = nil, stored: Int64?) {
        self.partition = partition
        self.lane = lane
        self.stored = stored
    }
}

extension StoredPosition {
    /// A position with nothing finished above it.
    init(next: Int64, lanes: Int) {
        self.init(next: next, laneOffsets: lanes > 1 ? Array(repeating: next, count: lanes) : [])
    }
}
