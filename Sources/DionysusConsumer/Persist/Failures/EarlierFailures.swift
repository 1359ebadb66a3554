import Dionysus

/// What is recorded of a partition's failures from before, as far as it concerns a batch.
struct EarlierFailures: Sendable {
    let group: String
    let partition: TopicPartition
    let messages: [ConsumedMessage]
    /// The messages that are assumed to wait; nil where none ever waits.
    let waiting: WaitingMessages?

    /// Forgets failures of messages that have been delivered again and are decided anew, and finds out whether just those
    /// messages wait that were assumed to.
    ///
    /// Retries hold a lock against this, so that no message comes to wait behind one that is being applied. A partition
    /// without failures, as nearly all are, costs one small query. If others wait, the transaction is
    /// refused.
    func settle(_ dialect: any SQLDialect, in preamble: inout Preamble) {
        let failures = RecordedPartition(group: group, partition: partition)
        let lock = waiting == nil ? [] : failures.lock(dialect, shared: true)
        preamble.add(lock + [failures.any]) { found, transaction in
            let corrected =
                if found.last?.isEmpty == false {
                    try settle(failures, in: &transaction)
                } else {
                    waiting?.corrected(byRecorded: [:], in: messages)
                }
            return corrected.map { .otherMessagesWait($0) }
        }
    }

    private func settle(
        _ failures: RecordedPartition,
        in transaction: inout Transaction
    ) throws -> WaitingMessages? {
        let dialect = transaction.dialect
        try transaction.run(failures.delete(messages.map(\.offset), dialect))
        guard let waiting else { return nil }
        let keys = Set(messages.compactMap(\.key))
        let rows = try transaction.run(failures.lowestOffsets(under: keys, dialect)).rows
        let recorded = try rows.map { row in (row.bytes(0) ?? [], try row.integer(1) ?? .max) }
        return waiting.corrected(byRecorded: Dictionary(recorded, uniquingKeysWith: min), in: messages)
    }
}

/// The statements about the failures of one partition.
struct RecordedPartition: Sendable {
    let group: String
    let partition: TopicPartition

    private var isThis: SQL {
        """
        "group" = \(group) AND topic = \(partition.topic) AND "partition" = \(partition.partition)
        """
    }

    /// Keeps those who let messages wait, and those who apply what others wait for, apart.
    func lock(_ dialect: any SQLDialect, shared: Bool) -> [SQL] {
        dialect.transactionLock("dionysus:failures:\(group):\(partition)", shared: shared)
    }

    /// A row if there is any failure.
    var any: SQL { "SELECT 1 FROM dionysus_failures WHERE \(isThis) LIMIT 1" }

    func delete(_ offsets: [Int64], _ dialect: any SQLDialect) -> SQL {
        let isOne = dialect.isAny("\"offset\"", of: offsets.map { .integer($0) }, type: .integer)
        return "DELETE FROM dionysus_failures WHERE \(isThis) AND \(isOne)"
    }

    /// Keys with the lowest offset that is recorded under each; more keys than were asked for may be among them.
    func lowestOffsets(under keys: Set<[UInt8]>, _ dialect: any SQLDialect) -> SQL {
        let hashes = keys.map { DatabaseValue.integer(FailureLog.hash(of: $0)) }
        return """
            SELECT "key", min("offset") FROM dionysus_failures
            WHERE \(isThis) AND \(dialect.isAny("key_hash", of: hashes, type: .integer)) GROUP BY "key"
            """
    }

    /// The id of the first failure under a key before an offset.
    func first(under key: [UInt8], before offset: Int64) -> SQL {
        """
        SELECT id FROM dionysus_failures
        WHERE \(isThis) AND key_hash = \(FailureLog.hash(of: key)) AND "key" = \(DatabaseValue.bytes(key))
          AND "offset" < \(offset) ORDER BY "offset" LIMIT 1
        """
    }

    /// The id of the next failure under a key after an offset, and how often it has been tried.
    func next(under key: [UInt8], after offset: Int64) -> SQL {
        """
        SELECT id, attempts FROM dionysus_failures
        WHERE \(isThis) AND key_hash = \(FailureLog.hash(of: key)) AND "key" = \(DatabaseValue.bytes(key))
          AND "offset" > \(offset) ORDER BY "offset" LIMIT 1
        """
    }
}

extension Row {
    /// The bytes in a column, or nil for null.
    func bytes(_ column: Int) -> [UInt8]? { if case .bytes(let value) = self[column] { value } else { nil } }
}
