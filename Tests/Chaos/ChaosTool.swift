import ArgumentParser
import TestSupport

/// Injects faults into a running system, and checks that nothing is lost, repeated or reordered.
@main
struct ChaosTool: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaos",
        abstract: "Injects faults into a running system, and checks that its replica is correct.",
        discussion: """
            Each round starts relays, consumers and writers as processes, injects faults while they work, waits until \
            everything has been applied, and compares. A seed gives the same rounds again: the same system, faults and \
            pauses, though not the same exact points, and only as long as the list of faults stays the same.
            """,
        subcommands: [RunCommand.self, ShortCommand.self, ListCommand.self, CountCommand.self],
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

/// The options common to the commands that run rounds.
struct RoundOptions: ParsableArguments {
    @Option(
        help: """
            The factor for time limits: more than 1 on a busy or slow machine.
            """
    )
    var patience = 1.0
    @Option(help: "Write the processes' output to this directory when a round fails.") var logs: String?
    @Option(help: "Start no round after this many minutes.") var minutes: Double?

    func validate() throws {
        guard patience >= 1 else { throw ValidationError("--patience must be at least 1.") }
    }
}

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Runs rounds with random faults.",
        discussion: """
            For each round it prints the faults and the system, the recovery time from the end of the last fault, the \
            counts, where the time went, and the violations. It exits with 1 if there are any.
            """
    )

    @Option(help: "Number of rounds.") var rounds = 10
    @Option(help: "The seed of the first round; each round uses the next one.")
    var seed: UInt64 = 1
    @Option(help: "Only this fault; may be repeated.") var only: [String] = []
    @Option(help: "Only on this system: embedded, servers or bouncer.") var system: SystemKind?
    @OptionGroup var options: RoundOptions

    func validate() throws {
        guard rounds > 0 else { throw ValidationError("--rounds must be positive.") }
        for name in only where !Fault.all.contains(where: { $0.name == name }) {
            throw ValidationError("There is no fault named \(name): see `chaos list`.")
        }
        if let system, faults(on: system).isEmpty {
            throw ValidationError("No such fault applies to \(system.rawValue).")
        }
    }

    func run() async throws {
        try await Campaign(options).run((0..<rounds).map { try plan(seed: seed + UInt64($0)) })
    }

    private func faults(on kind: SystemKind) -> [Fault] {
        Fault.all.filter { $0.systems.contains(kind) && (only.isEmpty || only.contains($0.name)) }
    }

    /// The plan that a seed determines.
    private func plan(seed: UInt64) throws -> Campaign.Plan {
        var random = SeededGenerator(seed: seed)
        let kinds = (system.map { [$0] } ?? SystemKind.available).filter { !faults(on: $0).isEmpty }
        guard let kind = kinds.randomElement(using: &random) else {
            throw ValidationError("The faults apply to none of the available systems.")
        }
        let candidates = faults(on: kind).shuffled(using: &random)
        let chosen = Array(candidates.prefix(Int.random(in: 1...3, using: &random)))
        let again =
            ["--seed \(seed) --rounds 1"] + (system.map { ["--system \($0.rawValue)"] } ?? [])
            + only.map { "--only \($0)" }
        return Campaign.Plan(
            seed: seed,
            kind: kind,
            faults: chosen,
            random: random,
            command: "script/chaos \(again.joined(separator: " "))"
        )
    }
}

struct ShortCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "short",
        abstract: "Runs a few fixed rounds, with faults of every group on every system."
    )

    /// Faults of all groups, as many as fit into ten minutes.
    private static let selection: [(SystemKind, [String])] = [
        (.embedded, ["relay-kill", "moves", "locked-file"]),
        (.servers, ["backend-kill", "broker-errors", "relays-at-once"]),
        (.bouncer, ["consumer-kill", "lost-commit"]),
        (.embedded, ["genesis", "poison"]),
        (.servers, ["moves", "lost-ack", "members"]),
        (.bouncer, ["terminate", "re-creation", "database-cut"]),
    ]

    @Option(help: "Only on this system: embedded, servers or bouncer.") var system: SystemKind?
    @OptionGroup var options: RoundOptions

    func run() async throws {
        let plans = try Self.selection.enumerated()
            .map { index, round in
                let seed = UInt64(index + 1)
                return Campaign.Plan(
                    seed: seed,
                    kind: round.0,
                    faults: try round.1.map { name in
                        guard let fault = Fault.all.first(where: { $0.name == name }) else {
                            throw ChaosError("there is no fault named \(name)")
                        }
                        return fault
                    },
                    random: SeededGenerator(seed: seed),
                    command: "script/chaos short"
                )
            }
        try await Campaign(options)
            .run(plans.filter { SystemKind.available.contains($0.kind) && (system ?? $0.kind) == $0.kind })
    }
}
