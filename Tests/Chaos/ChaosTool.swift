import ArgumentParser
import Dispatch
import Foundation
import TestSupport

/// Attacks a running system with faults, and checks that nothing is lost, repeated or reordered.
@main
struct ChaosTool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaos",
        abstract: "Attacks a running system with faults, and checks that its replica is right.",
        discussion: """
            Each round starts relays, consumers and writers as processes, lets faults strike while they work, waits until \
            everything has been applied, and compares. A seed gives the same rounds again: the same system, faults and \
            pauses, though not the same instants.
            """,
        subcommands: [RunCommand.self, ListCommand.self, CountCommand.self],
        defaultSubcommand: RunCommand.self
    )
}

struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Shows the faults.")

    func run() {
        for fault in Fault.all {
            let systems = SystemKind.allCases.filter(fault.systems.contains).map(\.rawValue).joined(separator: ", ")
            print("\(fault.name.padding(toLength: 18, withPad: " ", startingAt: 0)) \(fault.summary) (\(systems))")
        }
    }
}

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "run", abstract: "Runs rounds.")

    @Option(help: "How many rounds.") var rounds = 10
    @Option(help: "Where the random numbers of the first round begin; the next round has the next seed.")
    var seed: UInt64 = 1
    @Option(help: "Only this fault; may be repeated.") var only: [String] = []
    @Option(help: "Only on this system: embedded, servers or bouncer.") var system: SystemKind?
    @Option(help: "Write what the processes said into this directory when a round is not clean.") var logs: String?
    @Option(help: "Begin no round after so many minutes.") var minutes: Double?

    func validate() throws {
        guard rounds > 0 else { throw ValidationError("--rounds must be positive.") }
        for name in only where !Fault.all.contains(where: { $0.name == name }) {
            throw ValidationError("There is no fault named \(name): see `chaos list`.")
        }
        if let system, faults(on: system).isEmpty { throw ValidationError("No such fault strikes \(system.rawValue).") }
    }

    func run() async throws {
        let interruptions = Self.endTogether()
        defer { interruptions.forEach { $0.cancel() } }
        let start = ContinuousClock.now
        var failures: [UInt64] = []
        for number in 0..<rounds {
            if let minutes, ContinuousClock.now - start > .seconds(minutes * 60) { break }
            let roundSeed = seed + UInt64(number)
            if try await !runRound(seed: roundSeed) { failures.append(roundSeed) }
        }
        guard failures.isEmpty else {
            print("FAILED: seeds \(failures.map(String.init).joined(separator: ", "))")
            throw ExitCode.failure
        }
        print("all rounds are clean")
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

    private func faults(on kind: SystemKind) -> [Fault] {
        Fault.all.filter { $0.systems.contains(kind) && (only.isEmpty || only.contains($0.name)) }
    }

    /// - Returns: Whether the round was clean.
    private func runRound(seed: UInt64) async throws -> Bool {
        var random = SeededGenerator(seed: seed)
        let kinds = (system.map { [$0] } ?? SystemKind.available).filter { !faults(on: $0).isEmpty }
        guard let kind = kinds.randomElement(using: &random) else {
            throw ValidationError("The faults strike none of the systems that are here.")
        }
        let candidates = faults(on: kind).shuffled(using: &random)
        let chosen = Array(candidates.prefix(Int.random(in: 1...3, using: &random)))
        print("seed \(seed): \(kind.rawValue): \(chosen.map(\.name).joined(separator: ", "))")
        fflush(nil)
        let report = try await Round(kind: kind, faults: chosen, random: random).run()
        print(report.description)
        fflush(nil)
        if let logs, !report.violations.isEmpty {
            let file = URL(filePath: logs).appending(path: "seed-\(seed).log")
            try report.log.write(to: file, atomically: true, encoding: .utf8)
        }
        return report.violations.isEmpty
    }
}
