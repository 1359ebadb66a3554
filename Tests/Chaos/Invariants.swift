import Dionysus
import DionysusConsumer
import Foundation
import TestSupport

/// What has to hold when a round is over.
struct Invariants {
    let system: System

    private struct Row: Sendable {
        let id: Int64
        let record: String
        let topic: String
        let hasNote: Bool
    }

    func check() async throws -> (figures: [String], violations: [String]) {
        var violations: [String] = []
        let verification = try await system.run("verify")
        if verification.status != 0 {
            violations.append("the replica differs: \(verification.output) \(verification.errors)")
        }
        let rows = try await outbox()
        let broker = try system.openBroker()
        var messages: [String: [PublishedMessage]] = [:]
        var raw: [ConsumedMessage] = []
        for topic in Counting.topics {
            messages[topic] = try await readAll(topic, from: broker)
            raw += try await readRaw(topic, from: broker)
        }
        await broker.close()
        let log = messages.values.flatMap(\.self)
        violations += missing(rows, messages)
        violations += unknown(rows, log)
        violations += messages.values.flatMap { order($0) }
        violations += try await effects(of: raw)
        let duplicates = log.count - Set(log.compactMap { $0.headers[HeaderName.eventID] }).count
        return (["\(rows.count) rows", "\(log.count) messages", "\(duplicates) duplicates"], violations)
    }

    private func outbox() async throws -> [Row] {
        try await system.source.transaction(.snapshot) { transaction in
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

    /// Every row has its message, or a note that says why it needs none.
    private func missing(_ rows: [Row], _ messages: [String: [PublishedMessage]]) -> [String] {
        let published = messages.mapValues { Set($0.compactMap(\.rowID)) }
        let missing = rows.filter { row in
            !row.hasNote && published[row.topic].map { !$0.contains(row.id) } == true
        }
        return missing.isEmpty ? [] : ["\(missing.count) rows without a message: \(missing.prefix(3))"]
    }

    /// Nothing was published for what was rolled back.
    private func unknown(_ rows: [Row], _ messages: [PublishedMessage]) -> [String] {
        let known = Set(rows.map(\.id))
        let unknown = messages.filter { message in message.rowID.map { !known.contains($0) } == true }
        return unknown.isEmpty
            ? [] : ["\(unknown.count) messages of rows that don't exist: \(unknown.prefix(3).map(\.key))"]
    }

    /// The last message of each record is its most recent.
    private func order(_ messages: [PublishedMessage]) -> [String] {
        Dictionary(grouping: messages, by: { "\($0.partition) \($0.key)" })
            .compactMap { place, messages in
                guard let last = messages.last, let newest = messages.map(\.version).max() else { return nil }
                return last.version < newest ? "the last message of \(place) is older than another" : nil
            }
    }

    /// Every message that can be read has taken effect once.
    private func effects(of messages: [ConsumedMessage]) async throws -> [String] {
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
        let wrong = messages.filter { message in
            guard message.value != nil, message.key != Poison.key else { return false }
            return counts["\(message.source) \(message.offset)"] != 1
        }
        guard let first = wrong.first else { return [] }
        let times = counts["\(first.source) \(first.offset)"] ?? 0
        return ["\(wrong.count) events took effect not once, the first \(times) times: \(first.source) \(first.offset)"]
    }
}

extension PublishedMessage {
    /// The outbox id in the event's id.
    fileprivate var rowID: Int64? { headers[HeaderName.eventID]?.split(separator: "-").last.flatMap { Int64($0) } }
}
