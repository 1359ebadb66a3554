import Dionysus
import Foundation
import TestSupport

/// A round: injects faults into a system, lets it recover, and checks it.
struct Round {
    let kind: SystemKind
    let faults: [Fault]
    var random: SeededGenerator
    /// The factor for time limits, relative to an idle machine with two cores.
    let patience: Double

    /// Half of the rounds use the smallest memory budget, so that everything is processed in small parts.
    private var settings: [String: String] {
        var random = random
        return Bool.random(using: &random) ? ["DIONYSUS_MEMORY_BUDGET": "\(MemoryBudget.smallestSize >> 20)MB"] : [:]
    }

    func run() async throws -> RoundReport {
        try await System.with(kind, settings: settings, onSmallDisks: faults.contains(where: \.needsSmallDisks)) {
            system in
            do {
                return try await attack(system)
            } catch {
                _ = await system.end(Role.allCases, within: Self.ending * patience)
                return RoundReport(violations: ["the round was aborted: \(error)"], log: await system.log)
            }
        }
    }

    private func attack(_ system: System) async throws -> RoundReport {
        var random = random
        var watch = Watch()
        try await prepare(system)
        watch.lap("preparation")
        for role in [Role.relay, .relay, .consumer, .consumer, .counter, .counter, .writer, .writer, .writer] {
            try await system.start(role)
        }
        var violations = try await Settling(system: system).begin(within: .seconds(30) * patience)
        try await pause(500...1500, &random)
        watch.lap("start")
        let quiet = await system.memory()

        var deadline = ContinuousClock.now
        var isOver = deadline
        for fault in faults {
            try await fault.strike(system, &random)
            isOver = .now
            deadline = max(deadline, isOver + (Self.recovery + fault.patience) * patience)
            if fault.name != faults.last?.name { try await pause(200...1000, &random) }
        }
        violations += await system.end([.writer], within: Self.ending * patience)
        watch.lap("faults")

        violations += try await Settling(system: system).end(by: deadline)
        let recovery = ContinuousClock.now - isOver
        watch.lap("recovery")
        violations += await system.fallen()
        let idleness = try await system.idleness()
        violations += idleness.violations
        let memory = await system.memory()
        violations += memory.growth(over: quiet)
        violations += await system.end([.relay, .consumer, .counter], within: Self.ending * patience)
        watch.lap("ending")

        let found = try await Invariants(system: system, faults: faults).check()
        watch.lap("comparison")
        return RoundReport(
            recovery: recovery,
            figures: found.figures + system.settings.map { "\($0)=\($1)" } + [
                idleness.figure, memory.text(over: quiet),
            ],
            times: watch.text,
            violations: violations + found.violations,
            log: await system.log
        )
    }

    /// The time limit for publishing and applying everything after the end of a fault.
    private static let recovery = Duration.seconds(10)
    /// The time limit for a process's shutdown: a batch waits for the broker for at most four seconds.
    private static let ending = Duration.seconds(15)

    private func prepare(_ system: System) async throws {
        try await system.succeed("migrate")
        try await Counting.migrate(system.places.directCounts)
        try await system.succeed("seed", "--accounts", "10", "--rentals", "100", "--bookings", "200", "--fees", "300")
    }
}

/// The phases of a round's time.
private struct Watch {
    private var start = ContinuousClock.now
    private(set) var text = ""

    mutating func lap(_ name: String) {
        text += (text.isEmpty ? "" : ", ") + "\(name) \((.now - start).inSeconds)"
        start = .now
    }
}

/// The result of a round.
struct RoundReport: CustomStringConvertible {
    /// The time from the end of the faults until everything was applied; nil if the round was aborted.
    var recovery: Duration?
    var figures: [String] = []
    /// The round's time by phase.
    var times = ""
    let violations: [String]
    /// The processes' output.
    let log: String

    var description: String {
        let lines = recovery.map { recovery in
            ["  recovered after \(recovery.inSeconds) s; \(figures.joined(separator: ", "))", "  s: \(times)"]
        }
        return ((lines ?? []) + violations.map { "  VIOLATION: \($0)" }).joined(separator: "\n")
    }
}

extension Duration {
    /// The seconds with one decimal place.
    var inSeconds: String { (self / .seconds(1)).formatted(.number.precision(.fractionLength(1)).grouping(.never)) }
}
