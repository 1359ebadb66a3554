import Dionysus
import Foundation
import TestSupport

/// A system that is attacked, left in peace, and looked at.
struct Round {
    let kind: SystemKind
    let faults: [Fault]
    var random: SeededGenerator

    func run() async throws -> RoundReport {
        var random = random
        return try await System.with(kind, onSmallDisks: faults.contains(where: \.needsSmallDisks)) { system in
            try await prepare(system)
            for role in [Role.relay, .relay, .consumer, .consumer, .counter, .counter, .writer, .writer, .writer] {
                try await system.start(role)
            }
            try await pause(1500...3000, &random)
            for fault in faults {
                try await fault.strike(system, &random)
                try await pause(200...1000, &random)
            }
            _ = await system.end(.writer)
            let settled = try await Settling(system: system)
                .wait(
                    atMost: .seconds(60) + (faults.map(\.patience).max() ?? .zero)
                )
            var violations = await system.fallen()
            violations += settled.violations
            for role in [Role.relay, .consumer, .counter] {
                for result in await system.end(role) where result.status != 0 {
                    violations.append(
                        "a \(role.rawValue) ended with status \(result.status): \(result.errors.suffix(600))"
                    )
                }
            }
            let found = try await Invariants(system: system).check()
            return RoundReport(
                recovery: settled.duration,
                figures: found.figures,
                violations: violations + found.violations,
                log: await system.log
            )
        }
    }

    private func prepare(_ system: System) async throws {
        try await system.succeed("migrate")
        try await Counting.migrate(system.places.directCounts)
        try await system.succeed("seed", "--accounts", "10", "--rentals", "100", "--bookings", "200", "--fees", "300")
    }
}

/// What came of a round.
struct RoundReport: CustomStringConvertible {
    /// From the end of the faults until everything had been applied.
    let recovery: Duration
    let figures: [String]
    let violations: [String]
    /// What the processes said.
    let log: String

    var description: String {
        let seconds = (recovery / .seconds(1)).formatted(.number.precision(.fractionLength(1)))
        let lines = ["  settled after \(seconds) s; \(figures.joined(separator: ", "))"]
        return (lines + violations.map { "  VIOLATION: \($0)" }).joined(separator: "\n")
    }
}

/// Waits until everything that was written has been published and applied.
struct Settling {
    let system: System

    func wait(atMost limit: Duration) async throws -> (duration: Duration, violations: [String]) {
        let start = ContinuousClock.now
        while true {
            var open: String?
            do { open = try await openWork() } catch { open = "a state that can't be read: \(error)" }
            let duration = ContinuousClock.now - start
            guard let open else { return (duration, []) }
            if duration > limit { return (duration, ["after \(limit.components.seconds) s there is still \(open)"]) }
            try await Task.sleep(for: .milliseconds(250))
        }
    }

    /// What is still to be done; nil if there is nothing.
    private func openWork() async throws -> String? {
        let pending = try await system.source.transaction(.snapshot) { transaction in
            try transaction.run("SELECT count(*) FROM dionysus_outboxes WHERE published_at IS NULL").first?.integer(0)
        }
        if let pending, pending > 0 { return "\(pending) rows to publish" }
        let broker = try system.openBroker()
        defer { Task { await broker.close() } }
        let topics = try await broker.describeTopics(Counting.topics)
        let partitions = topics.flatMap { topic in (0..<topic.partitions).map { TopicPartition(topic.name, $0) } }
        let ranges = try await broker.offsets(of: partitions)
        let readers = [
            (database: system.places.directReplica, what: "replica", leavesOut: "v3_accounts_genesis"),
            (database: system.places.directCounts, what: "counter", leavesOut: ""),
        ]
        for (database, what, leftOut) in readers {
            let database = try System.open(database)
            let stored = try await database.transaction(.snapshot) { transaction in
                try transaction.run("SELECT topic, \"partition\", next_offset FROM dionysus_offsets").rows
                    .map {
                        (TopicPartition(try $0.text(0) ?? "", Int32(try $0.integer(1) ?? 0)), try $0.integer(2) ?? 0)
                    }
            }
            await database.close()
            let positions = Dictionary(stored, uniquingKeysWith: { $1 })
            let behind = ranges.filter { $0.key.topic != leftOut }
                .reduce(0) { $0 + $1.value.next - max(positions[$1.key] ?? 0, $1.value.first) }
            if behind > 0 { return "\(behind) messages to apply by the \(what)" }
        }
        return nil
    }
}
