import Dionysus
import GRDB

/// Deletes the oldest messages of partitions, in transactions that are short enough for others to write between them.
struct Retention: Sendable {
    private static let messagesPerTransaction = 2_000

    let log: LogFile
    let age: Duration?
    let bytes: Int64?

    init(log: LogFile, options: EmbeddedLogOptions) {
        self.log = log
        age = options.retentionAge
        bytes = options.retentionBytes
    }

    var isUnlimited: Bool { age == nil && bytes == nil }

    /// Deletes everything that needn't be kept any more.
    /// - Returns: How many messages were deleted.
    func enforce() async throws -> Int {
        guard !isUnlimited else { return 0 }
        let partitionIDs = try await log.read { try Int64.fetchAll($0, sql: "SELECT id FROM partitions ORDER BY id") }
        var total = 0
        for partitionID in partitionIDs {
            var isFinished = false
            while !isFinished {
                try Task.checkCancellation()
                let deleted = try await log.write { try deleteOldest(of: partitionID, in: $0) }
                total += deleted
                isFinished = deleted < Self.messagesPerTransaction
            }
        }
        return total
    }

    private func deleteOldest(of partitionID: Int64, in connection: Connection) throws -> Int {
        let partition = try Row.fetchOne(
            connection.cachedStatement(sql: "SELECT first_offset, next_offset, bytes FROM partitions WHERE id = ?"),
            arguments: [partitionID]
        )
        guard let partition else { return 0 }
        let first: Int64 = partition[0]
        let oldestKept = age.map { Timestamp.now.microseconds - $0.microseconds }
        var bytesLeft: Int64 = partition[2]
        var end = first
        let rows = try Row.fetchCursor(
            connection.cachedStatement(
                sql: """
                    SELECT id, timestamp,
                      coalesce(length(key), 0) + coalesce(length(value), 0) + coalesce(length(headers), 0)
                    FROM messages WHERE id >= ? AND id < ? ORDER BY id LIMIT ?
                    """
            ),
            arguments: [
                MessageID.make(partitionID: partitionID, offset: first),
                MessageID.make(partitionID: partitionID, offset: partition[1]),
                Self.messagesPerTransaction,
            ]
        )
        while let row = try rows.next() {
            let timestamp: Int64 = row[1]
            let size: Int64 = row[2]
            let isTooOld = oldestKept.map { timestamp < $0 } ?? false
            let isTooMuch = bytes.map { bytesLeft - size >= $0 } ?? false
            guard isTooOld || isTooMuch else { break }
            bytesLeft -= size
            end = MessageID.offset(of: row[0]) + 1
        }
        guard end > first else { return 0 }
        try connection.execute(
            sql: "DELETE FROM messages WHERE id >= ? AND id < ?",
            arguments: [
                MessageID.make(partitionID: partitionID, offset: first),
                MessageID.make(partitionID: partitionID, offset: end),
            ]
        )
        try connection.execute(
            sql: "UPDATE partitions SET first_offset = ?, bytes = ? WHERE id = ?",
            arguments: [end, bytesLeft, partitionID]
        )
        return Int(end - first)
    }
}
