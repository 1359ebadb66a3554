import ArgumentParser
import Dispatch
import Foundation
import TestSupport

/// Runs rounds one after another, and reports their results.
struct Campaign {
    /// A round to run.
    struct Plan {
        let seed: UInt64
        let kind: SystemKind
        let faults: [Fault]
        let random: SeededGenerator
        /// The command that repeats it.
        let command: String

        var description: String {
            "seed \(seed): \(kind.rawValue): \(faults.map(\.name).joined(separator: ", "))"
        }
    }

    private let options: RoundOptions

    init(_ options: RoundOptions) { self.options = options }

    /// Runs rounds, and reports each result and the summary.
    /// - Throws: `ExitCode.failure` if a round failed.
    func run(_ plans: [Plan]) async throws {
        let tally = Tally()
        let interruptions = Self.endTogether(tally)
        defer { interruptions.forEach { $0.cancel() } }
        let start = ContinuousClock.now
        for plan in plans {
            if let minutes = options.minutes, ContinuousClock.now - start > .seconds(minutes * 60) { break }
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
                if !report.violations.isEmpty { try keep(report.log, of: plan) }
                tally.add(plan, recovery: report.recovery, isClean: report.violations.isEmpty)
            } catch {
                Self.say("  VIOLATION: the round was aborted: \(error)")
                tally.add(plan, recovery: nil, isClean: false)
            }
        }
        Self.say(tally.summary)
        if !tally.isClean { throw ExitCode.failure }
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

    /// On an interrupt, prints the summary so far and terminates all processes of the round.
    private static func endTogether(_ tally: Tally) -> [any DispatchSourceSignal] {
        setpgid(0, 0)
        return [SIGINT, SIGTERM]
            .map { number in
                signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number)
                source.setEventHandler {
                    say(tally.summary)
                    kill(0, SIGKILL)
                }
                source.resume()
                return source
            }
    }
}
