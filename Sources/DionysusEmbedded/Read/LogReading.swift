import Dionysus
import Foundation
import GRDB

/// A partition to be read, and from where.
struct ReadRequest: Sendable {
    let partition: PartitionReference
    let position: Int64
    /// Tells what was read before a seek from what is read after it.
    let epoch: UInt64
}

/// What one partition had.
struct ReadPart: Sendable {
    enum Content: Sendable {
        case messages([ConsumedMessage])
        /// There is no message from the position up to this offset.
        case nothing(before: Int64)
        case outOfRange(OffsetRange)
    }

    let request: ReadRequest
    let content: Content
}

/// What a member finds when it looks at the log.
enum ReadOutcome: Sendable {
    /// The member's lease has ended.
    case expelled(GroupMember)
    /// The group has changed: the member must synchronize first.
    case outdated(GroupMember)
    case parts([ReadPart])
}

/// Reads messages for a member of a group, in one snapshot.
struct LogReader {
    let connection: Connection
    private var messagesLeft: Int
    private var bytesLeft: Int

    init(connection: Connection, maximumMessages: Int, maximumBytes: Int) {
        self.connection = connection
        messagesLeft = maximumMessages
        bytesLeft = maximumBytes
    }

    /// Whether the member's view of its group is that of the log.
    static func check(_ member: GroupMember, generation: Int64, in connection: Connection) throws -> ReadOutcome? {
        let query = try connection.cachedStatement(
            sql: """
                SELECT EXISTS (SELECT 1 FROM members WHERE id = ?),
                  generation = ? AND last_topic_id = (SELECT coalesce(max(id), 0) FROM topics)
                FROM consumer_groups WHERE id = ?
                """
        )
        guard let row = try Row.fetchOne(query, arguments: [member.id, generation, member.group]), row[0] else {
            return .expelled(member)
        }
        return row[1] ? nil : .outdated(member)
    }

    /// Reads partitions, each one's fair share first and then what the others have left over.
    mutating func read(_ requests: [ReadRequest]) throws -> [ReadPart] {
        var parts: [ReadPart] = []
        var unfinished: [(request: ReadRequest, position: Int64, next: Int64)] = []
        for request in requests {
            guard let range = try range(of: request.partition.id) else { continue }
            if request.position < range.first || request.position > range.next {
                parts.append(ReadPart(request: request, content: .outOfRange(range)))
            } else if request.position < range.next {
                unfinished.append((request, request.position, range.next))
            }
        }
        while messagesLeft > 0, bytesLeft > 0, !unfinished.isEmpty {
            let share = max(1, messagesLeft / unfinished.count)
            for index in unfinished.indices where messagesLeft > 0 && bytesLeft > 0 {
                let (request, position, next) = unfinished[index]
                let messages = try messages(of: request.partition, position..<next, limit: min(share, messagesLeft))
                unfinished[index].position = messages.last.map { $0.offset + 1 } ?? next
                let isGap = messages.isEmpty && position == request.position
                let content: ReadPart.Content = isGap ? .nothing(before: next) : .messages(messages)
                parts.append(ReadPart(request: request, content: content))
            }
            unfinished.removeAll { $0.position >= $0.next }
        }
        return parts
    }

    private func range(of partitionID: Int64) throws -> OffsetRange? {
        let query = try connection.cachedStatement(
            sql: "SELECT first_offset, next_offset FROM partitions WHERE id = ?"
        )
        return try Row.fetchOne(query, arguments: [partitionID]).map { OffsetRange(first: $0[0], next: $0[1]) }
    }

    private mutating func messages(
        of partition: PartitionReference,
        _ range: Range<Int64>,
        limit: Int
    ) throws -> [ConsumedMessage] {
        let query = try connection.cachedStatement(
            sql: "SELECT id, timestamp, key, value, headers FROM messages WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
        )
        let rows = try Row.fetchCursor(
            query,
            arguments: [
                MessageID.make(partitionID: partition.id, offset: range.lowerBound),
                MessageID.make(partitionID: partition.id, offset: range.upperBound),
                limit,
            ]
        )
        var messages: [ConsumedMessage] = []
        while bytesLeft > 0, let row = try rows.next() {
            let message = ConsumedMessage(
                source: partition.name,
                offset: MessageID.offset(of: row[0]),
                key: (row[2] as LogBytes?)?.bytes,
                value: (row[3] as LogBytes?)?.bytes,
                headers: try (row[4] as LogBytes?).map { try HeaderCoding.decode($0.bytes) } ?? [],
                timestamp: Timestamp(microseconds: row[1])
            )
            messagesLeft -= 1
            bytesLeft -= (message.key?.count ?? 0) + (message.value?.count ?? 0)
            messages.append(message)
        }
        return messages
    }
}
