import Dionysus

/// What was found to be missing from the log, remembered until an operator accepts it.
///
/// A log that was created anew, or has deleted what was not read yet, looks like any other once it has grown. So what a
/// consumer has found out keeps all consumers of the group from going on, until the topic is reset or the loss accepted.
struct LogLosses: Sendable {
    let group: String

    /// What was found in one partition.
    struct Loss: Sendable {
        let partition: TopicPartition
        /// What was found, in words.
        let message: String
        /// When that was, by the database's clock.
        let foundAt: Timestamp?
    }

    /// What is remembered of the group, in the order of the partitions.
    func load(in transaction: inout Transaction) throws -> [Loss] {
        let result = try transaction.run(
            """
            SELECT topic, "partition", message, found_at FROM dionysus_log_losses
            WHERE "group" = \(group) ORDER BY topic, "partition"
            """
        )
        return try result.rows.compactMap { row in
            guard let topic = try row.text(0), let partition = try row.integer(1) else { return nil }
            return Loss(
                partition: TopicPartition(topic, Int32(truncatingIfNeeded: partition)),
                message: try row.text(2) ?? "",
                foundAt: try row.timestamp(3)
            )
        }
    }

    /// Remembers what was found; what was found first stays.
    func record(_ error: DionysusError, of partition: TopicPartition, in transaction: inout Transaction) throws {
        try transaction.run(
            """
            INSERT INTO dionysus_log_losses ("group", topic, "partition", message, found_at)
            VALUES (\(group), \(partition.topic), \(partition.partition), \(error.message), \(transaction.dialect.now))
            ON CONFLICT DO NOTHING
            """
        )
    }

    /// Forgets what was found in a topic.
    /// - Parameter partition: The partition's number; nil for all of them.
    func forget(_ topic: String, _ partition: Int32? = nil, in transaction: inout Transaction) throws {
        let isMeant: SQL = partition.map { "AND \"partition\" = \($0)" } ?? ""
        try transaction.run(
            "DELETE FROM dionysus_log_losses WHERE \"group\" = \(group) AND topic = \(topic) \(isMeant)"
        )
    }
}

extension LogLosses.Loss {
    /// What keeps consumers from going on.
    static func error(_ losses: [LogLosses.Loss]) -> DionysusError {
        let list = losses.map { loss in
            let time = loss.foundAt.map { ", found at \($0.iso8601(fractionDigits: 0))" } ?? ""
            return "\(loss.message)\(time)"
        }
        return .loss(list.joined(separator: "; "))
    }
}

extension DionysusError {
    /// Messages may have been missed.
    static func loss(_ message: String) -> DionysusError {
        DionysusError(
            .offsetOutOfRange,
            message,
            advice:
                "messages may have been missed: publish the models again, and reset the topic, or go on with the oldest "
                + "message that is kept (consume --accept-loss)"
        )
    }
}

/// Lets a group go on behind what was lost, because that was chosen.
struct LossAcceptance: Sendable {
    let offsets: OffsetStore
    let database: any Database
    let broker: any MessageBroker

    /// Moves partitions to the oldest message that is kept, and forgets what was found in them.
    /// - Returns: What was forgotten.
    /// - Throws: What the database and the broker throw.
    func run() async throws -> [LogLosses.Loss] {
        let losses = LogLosses(group: offsets.group)
        let found = try await database.transaction(.snapshot) { try losses.load(in: &$0) }
        guard !found.isEmpty else { return [] }
        let partitions = found.map(\.partition)
        let counts = try await broker.describeTopics(Set(partitions.map(\.topic)).sorted())
            .reduce(into: [:]) { $0[$1.name] = $1.partitions }
        let existing = partitions.filter { $0.partition < counts[$0.topic] ?? 0 }
        let ranges = try await broker.offsets(of: existing)
        guard ranges.count == existing.count else {
            throw DionysusError(
                .brokerUnavailable,
                "the broker at \(broker.location) does not tell where all partitions begin",
                isRetriable: true
            )
        }
        try await database.transaction(.write) { [offsets] transaction in
            for partition in partitions {
                // A partition that is gone begins at its beginning if it comes back.
                try offsets.move(partition, to: ranges[partition]?.first ?? 0, in: &transaction)
                try losses.forget(partition.topic, partition.partition, in: &transaction)
            }
        }
        return found
    }
}
