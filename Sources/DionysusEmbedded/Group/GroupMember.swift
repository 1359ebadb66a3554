import Dionysus
import GRDB

/// A partition with its key in the log.
struct PartitionReference: Sendable, Hashable {
    let id: Int64
    let name: TopicPartition

    /// Finds a partition; nil if it does not exist.
    static func fetch(_ name: TopicPartition, in connection: Connection) throws -> PartitionReference? {
        let query = try connection.cachedStatement(
            sql: "SELECT p.id FROM partitions p JOIN topics t ON t.id = p.topic_id WHERE t.name = ? AND p.number = ?"
        )
        return try Int64.fetchOne(query, arguments: [name.topic, name.partition])
            .map { PartitionReference(id: $0, name: name) }
    }
}

/// A member of a group as the log knows it.
///
/// All functions are parts of transactions that write.
///
/// Who owns what stands in `assignments`: the owner reads a partition, the target is to read it. A partition goes over
/// in two steps: the owner gives it back, the target takes it. So it never has two owners, unless the first one's
/// lease has ended, which learns that it has lost everything.
struct GroupMember: Sendable, Hashable {
    let id: Int64
    let group: Int64

    /// What a member has to do after a change in its group.
    enum Change: Sendable {
        /// The lease has ended and the others know.
        case expelled
        /// These partitions were taken, those are to be given back.
        case current(generation: Int64, taken: [PartitionReference], wanted: [PartitionReference])
    }

    static func join(
        group name: String,
        clientID: String,
        subscription: Subscription,
        timeout: Duration,
        in connection: Connection
    ) throws -> GroupMember {
        try connection.execute(
            sql: "INSERT INTO consumer_groups (name) VALUES (?) ON CONFLICT (name) DO NOTHING",
            arguments: [name]
        )
        let group = try Int64.fetchOne(
            connection,
            sql: "SELECT id FROM consumer_groups WHERE name = ?",
            arguments: [name]
        )
        try connection.execute(
            sql: "INSERT INTO members (group_id, client_id, renewed_at, timeout) VALUES (?, ?, ?, ?)",
            arguments: [group, clientID, MonotonicClock.now, timeout.microseconds]
        )
        let member = GroupMember(id: connection.lastInsertedRowID, group: group ?? 0)
        try subscription.save(for: member.id, in: connection)
        try member.removeExpired(in: connection)
        try member.rebalance(in: connection)
        return member
    }

    /// Prolongs the lease, and ends those of members that have not prolonged theirs.
    /// - Returns: Whether the member still belongs to the group.
    func renew(in connection: Connection) throws -> Bool {
        try connection.execute(
            sql: "UPDATE members SET renewed_at = ? WHERE id = ?",
            arguments: [MonotonicClock.now, id]
        )
        let isMember = connection.changesCount > 0
        if try removeExpired(in: connection) { try rebalance(in: connection) }
        return isMember
    }

    /// Takes what is free and meant for this member.
    func synchronize(in connection: Connection) throws -> Change {
        guard try renew(in: connection) else { return .expelled }
        if try hasNewTopics(in: connection) { try rebalance(in: connection) }
        let taken = try partitions("a.owner_id IS NULL AND a.target_id = :member", in: connection)
        try connection.execute(
            sql:
                "UPDATE assignments SET owner_id = target_id WHERE group_id = ? AND owner_id IS NULL AND target_id = ?",
            arguments: [group, id]
        )
        let wanted = try partitions("a.owner_id = :member AND a.target_id IS NOT :member", in: connection)
        let generation = try Int64.fetchOne(
            connection,
            sql: "SELECT generation FROM consumer_groups WHERE id = ?",
            arguments: [group]
        )
        return .current(generation: generation ?? 0, taken: taken, wanted: wanted)
    }

    /// Gives partitions back.
    func release(_ partitions: [TopicPartition], in connection: Connection) throws {
        for partition in partitions {
            try connection.execute(
                sql: """
                    UPDATE assignments SET owner_id = NULL WHERE group_id = ? AND owner_id = ? AND partition_id =
                      (SELECT p.id FROM partitions p JOIN topics t ON t.id = p.topic_id WHERE t.name = ? AND p.number = ?)
                    """,
                arguments: [group, id, partition.topic, partition.partition]
            )
        }
        try announceChange(in: connection)
    }

    func leave(in connection: Connection) throws {
        try remove([id], in: connection)
        try rebalance(in: connection)
    }

    /// Notes the group's position, for tools that show lag.
    func commit(_ offsets: [TopicPartition: Int64], metadata: String?, in connection: Connection) throws {
        let statement = try connection.cachedStatement(
            sql: """
                INSERT INTO committed_offsets (group_id, partition_id, next_offset, committed_at, metadata)
                SELECT ?, p.id, ?, ?, ? FROM partitions p JOIN topics t ON t.id = p.topic_id
                WHERE t.name = ? AND p.number = ?
                ON CONFLICT (group_id, partition_id)
                DO UPDATE SET next_offset = excluded.next_offset, committed_at = excluded.committed_at,
                  metadata = excluded.metadata
                """
        )
        let now = Timestamp.now.microseconds
        for (partition, offset) in offsets {
            try statement.execute(arguments: [group, offset, now, metadata, partition.topic, partition.partition])
        }
    }

    private func partitions(_ condition: String, in connection: Connection) throws -> [PartitionReference] {
        try Row.fetchAll(
            connection.cachedStatement(
                sql: """
                    SELECT p.id, t.name, p.number
                    FROM assignments a JOIN partitions p ON p.id = a.partition_id JOIN topics t ON t.id = p.topic_id
                    WHERE a.group_id = :group AND \(condition) ORDER BY p.id
                    """
            ),
            arguments: ["group": group, "member": id]
        )
        .map { PartitionReference(id: $0[0], name: TopicPartition($0[1], $0[2])) }
    }

    @discardableResult
    private func removeExpired(in connection: Connection) throws -> Bool {
        let now = MonotonicClock.now
        let expired = try Int64.fetchAll(
            connection,
            sql: """
                SELECT id FROM members
                WHERE group_id = ? AND id <> ? AND (renewed_at > ? OR renewed_at + timeout < ?)
                """,
            arguments: [group, id, now, now]
        )
        try remove(expired, in: connection)
        return !expired.isEmpty
    }

    private func remove(_ members: [Int64], in connection: Connection) throws {
        for member in members {
            try connection.execute(
                sql: "UPDATE assignments SET owner_id = NULL WHERE group_id = ? AND owner_id = ?",
                arguments: [group, member]
            )
            try connection.execute(sql: "DELETE FROM members WHERE id = ?", arguments: [member])
        }
    }

    private func hasNewTopics(in connection: Connection) throws -> Bool {
        try Bool.fetchOne(
            connection,
            sql: "SELECT last_topic_id < (SELECT coalesce(max(id), 0) FROM topics) FROM consumer_groups WHERE id = ?",
            arguments: [group]
        ) ?? false
    }

    /// Decides anew who is to own what.
    private func rebalance(in connection: Connection) throws {
        var owners: [Int64: Int64?] = [:]
        var targets: [Int64: Int64?] = [:]
        let rows = try Row.fetchCursor(
            connection,
            sql: "SELECT partition_id, owner_id, target_id FROM assignments WHERE group_id = ?",
            arguments: [group]
        )
        while let row = try rows.next() {
            owners[row[0]] = row[1] as Int64?
            targets[row[0]] = row[2] as Int64?
        }
        let holders = owners.merging(targets) { owner, target in owner ?? target }.compactMapValues(\.self)
        let subscriptions = try Subscription.partitions(ofGroup: group, in: connection)
        let result = Assignment.balance(subscriptions, holders: holders)
        let update = try connection.cachedStatement(
            sql: """
                INSERT INTO assignments (group_id, partition_id, target_id) VALUES (?, ?, ?)
                ON CONFLICT (group_id, partition_id) DO UPDATE SET target_id = excluded.target_id
                """
        )
        for partition in Set(targets.keys).union(result.keys) where targets[partition] != .some(result[partition]) {
            try update.execute(arguments: [group, partition, result[partition]])
        }
        try connection.execute(
            sql: "UPDATE consumer_groups SET last_topic_id = (SELECT coalesce(max(id), 0) FROM topics) WHERE id = ?",
            arguments: [group]
        )
        try announceChange(in: connection)
    }

    /// Makes all members synchronize before they read on.
    private func announceChange(in connection: Connection) throws {
        try connection.execute(
            sql: "UPDATE consumer_groups SET generation = generation + 1 WHERE id = ?",
            arguments: [group]
        )
    }
}
