import ArgumentParser
import Dispatch
import Foundation
import TestSupport

/// Rounds one after another, and what came of them.
struct Campaign {
    /// A round to be run.
    struct Plan {
        let seed: UInt64
        let kind: SystemKind
        let faults: [Fault]
        let random: SeededGenerator
        /// What runs it again.
        let command: String

        var description: String {
            "seed \(seed): \(kind.rawValue): \(faults.map(\.name).joined(separator: ", "))"
        }
    }

    private let options: RoundOptions

    init(_ options: RoundOptions) { self.options = options }

    /// Runs rounds, and says what came of each and of all.
    /// - Throws: `ExitCode.failure` if a round was not clean.
    func run(_ plans: [Plan]) async throws {
        let interruptions = Self.endTogether()
        defer { interruptions.forEach { $0.cancel() } }
        let start = ContinuousClock.now
        var begun = 0
        var failures: [Plan] = []
        var recoveries: [Duration] = []
        for plan in plans {
            if let minutes = options.minutes, ContinuousClock.now - start > .seconds(minutes * 60) { break }
            begun += 1
            Self.say(plan.description)
            do {
                let report = try await Round(
                    kind: plan.kind,
                    faults: plan.faults,
                    random: plan.random,
                    patience: options.patience
                )
                .run()
                Self.say(report.description)
                recoveries.append(report.recovery)
                guard !report.violations.isEmpty else { continue }
                try keep(report.log, of: plan)
            } catch {
                Self.say("  VIOLATION: the round broke off: \(error)")
            }
            failures.append(plan)
        }
        let time = (ContinuousClock.now - start).inSeconds
        let slowest = recoveries.max()?.inSeconds ?? "-"
        Self.say("\(begun) rounds in \(time) s, slowest recovery \(slowest) s")
        guard failures.isEmpty else {
            Self.say("\(failures.count) rounds were not clean:")
            for plan in failures { Self.say("  \(plan.description)\n    again: \(plan.command)") }
            throw ExitCode.failure
        }
        Self.say("all rounds are clean")
    }

    private func keep(_ log: String, of plan: Plan) throws {
        guard let directory = options.logs else { return }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let file = URL(filePath: directory).appending(path: "seed-\(plan.seed)-\(plan.kind.rawValue).log")
        try log.write(to: file, atomically: true, encoding: .utf8)
    }

    private static func say(_ text: String) {
        print(text)
        fflush(nil)
    }

    /// Lets all processes of a round end with this one when it is interrupted.
    private static func endTogether() -> [any DispatchSourceSignal] {
        setpgid(0, 0)
        return [SIGINT, SIGTERM]
            .map { number in
                signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number)
                source.setEventHandler { kill(0, SIGKILL) }
                source.resume()
                return source
            }
    }
}
