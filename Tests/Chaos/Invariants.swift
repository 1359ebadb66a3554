import Dionysus
import DionysusConsumer
import Foundation
import TestSupport

/// The invariants at the end of a round.
struct Invariants {
    let system: System
    let faults: [Fault]

    func check() async throws -> (figures: [String], violations: [String]) {
        async let verification = system.run("verify")
        let log = try await LogContent(of: system)
        let rows = try await OutboxContent(of: system)
        var violations = rows.missing(in: log, after: await system.lastLostRow)
        violations += rows.unknown(in: log)
        violations += log.order(mayHaveLate: faults.contains(where: \.losesLanes))
        violations += log.repetition(allowed: faults.reduce(0) { $0 + $1.blows } * System.workers)
        violations += try await FinalState(of: system).differences(from: log, isComplete: system.lastLostRow == 0)
        violations += try await effects(of: log)
        let verified = try await verification
        if verified.status != 0 { violations.append("the replica differs: \(verified.output) \(verified.errors)") }
        let figures = [
            "\(rows.count) rows", "\(log.messages.count) messages",
            "\(log.duplicates) duplicates of \(log.repeatedBatches) batches", "\(log.late) late",
        ]
        return (figures, violations)
    }

    /// Every readable message has taken effect once.
    private func effects(of log: LogContent) async throws -> [String] {
        let database = try System.open(system.places.directCounts)
        let counted = try await database.transaction(.snapshot) { transaction in
            try transaction.run("SELECT topic, part, place, n FROM effects").rows
                .map { row in
                    (
                        "\(TopicPartition(try row.text(0) ?? "", Int32(try row.integer(1) ?? 0))) \(try row.integer(2) ?? 0)",
                        try row.integer(3) ?? 0
                    )
                }
        }
        await database.close()
        let counts = Dictionary(counted, uniquingKeysWith: { $1 })
        let wrong = log.messages.map(\.place).filter { counts[$0] != 1 }
        guard let first = wrong.first else { return [] }
        return [
            "\(wrong.count) events did not take effect exactly once, the first \(counts[first] ?? 0) times: \(first)"
        ]
    }
}

/// The outbox at the end.
struct OutboxContent {
    private struct Row: Sendable {
        let id: Int64
        let record: String
        let topic: String
        let hasNote: Bool
    }

    private let rows: [Row]

    var count: Int { rows.count }

    init(of system: System) async throws {
        rows = try await system.source.transaction(.snapshot) { transaction in
            try transaction.run(
                """
                SELECT id, resource_class || ':' || resource_id, topic, error_message FROM dionysus_outboxes
                WHERE published_at IS NOT NULL
                """
            )
            .rows
            .map { row in
                Row(
                    id: try row.integer(0) ?? 0,
                    record: try row.text(1) ?? "",
                    topic: try row.text(2) ?? "",
                    hasNote: try row.text(3)?.hasPrefix("not published") == true
                )
            }
        }
    }

    /// Every row has its message, or a note that explains why it needs none.
    /// - Parameter lost: The last row whose message may have been lost with the log.
    func missing(in log: LogContent, after lost: Int64) -> [String] {
        let published = Dictionary(grouping: log.messages, by: \.topic).mapValues { Set($0.compactMap(\.rowID)) }
        let missing = rows.filter { row in
            row.id > lost && !row.hasNote && Counting.topics.contains(row.topic)
                && published[row.topic]?.contains(row.id) != true
        }
        return missing.isEmpty ? [] : ["\(missing.count) rows without a message: \(missing.prefix(3))"]
    }

    /// Nothing was published for rolled-back changes.
    func unknown(in log: LogContent) -> [String] {
        let known = Set(rows.map(\.id))
        let unknown = log.messages.filter { message in message.rowID.map { !known.contains($0) } ?? false }
        return unknown.isEmpty
            ? [] : ["\(unknown.count) messages of rows that don't exist: \(unknown.prefix(3).map(\.content.key))"]
    }
}
