import Foundation
import TestSupport

extension Fault {
    /// How long the broker keeps a silent member.
    static let sessionTimeout = Duration.seconds(4)

    static let processFaults = [
        Fault(name: "relay-kill", summary: "relays are killed every second", systems: .everywhere, blows: 6) {
            system,
            random in
            for _ in 1...6 {
                if let relay = await system.any(.relay, &random) { try await system.replace(relay, .relay) }
                try await pause(300...1500, &random)
            }
        },
        Fault(
            name: "consumer-kill",
            summary: "consumers of both groups are killed every second",
            systems: .everywhere,
            patience: sessionTimeout,
            blows: 0,
            losesLanes: false
        ) { system, random in
            for _ in 1...6 {
                let role: Role = Bool.random(using: &random) ? .consumer : .counter
                if let consumer = await system.any(role, &random) { try await system.replace(consumer, role) }
                try await pause(300...1500, &random)
            }
        },
        Fault(
            name: "relay-kill-exact",
            summary: "relays are killed before they send, after the acknowledgement, and after the mark",
            systems: .everywhere,
            blows: 4
        ) { system, random in
            if system.kind == .embedded { return try await killHoldingLocks(system, [.relay], &random) }
            for instant in [Instant.beforeSend, .afterSend, .afterMark, .afterSend].shuffled(using: &random) {
                try await kill(.relay, at: instant, system, &random)
            }
        },
        Fault(
            name: "consumer-kill-exact",
            summary: "consumers are killed before they commit, and between database and broker",
            systems: .everywhere,
            patience: sessionTimeout,
            blows: 0,
            losesLanes: false
        ) { system, random in
            if system.kind == .embedded { return try await killHoldingLocks(system, [.consumer, .counter], &random) }
            for (role, instant) in zip(
                [Role.consumer, .counter],
                [Instant.beforeCommit, .afterCommit].shuffled(using: &random)
            ) {
                try await kill(role, at: instant, system, &random)
            }
        },
        Fault(
            name: "relay-freeze",
            summary: "a relay is frozen for longer than its lease",
            systems: .everywhere,
            blows: 1
        ) {
            system,
            random in
            guard let relay = await system.any(.relay, &random) else { return }
            relay.signal(SIGSTOP)
            try await pause(8000...10_000, &random)
            relay.signal(SIGCONT)
        },
        Fault(
            name: "consumer-freeze",
            summary: "a consumer is frozen for longer than its session",
            systems: .everywhere,
            patience: sessionTimeout,
            blows: 0,
            losesLanes: false
        ) { system, random in
            guard let consumer = await system.any(.consumer, &random), let counter = await system.any(.counter, &random)
            else { return }
            consumer.signal(SIGSTOP)
            counter.signal(SIGSTOP)
            try await pause(8000...10_000, &random)
            consumer.signal(SIGCONT)
            counter.signal(SIGCONT)
        },
        Fault(
            name: "terminate",
            summary: "processes are terminated under load",
            systems: .everywhere,
            patience: sessionTimeout,
            blows: 0,
            losesLanes: false
        ) {
            system,
            random in
            for role in [Role.relay, .consumer, .counter, .relay, .consumer] {
                guard let process = await system.any(role, &random) else { continue }
                let result = try await system.replaceGracefully(process, role)
                guard result.status == 0 else {
                    throw ChaosError("a \(role.rawValue) ended with status \(result.status): \(result.errors)")
                }
                try await pause(200...800, &random)
            }
        },
        Fault(
            name: "relays-at-once",
            summary: "all relays are killed, and two start at once",
            systems: .everywhere,
            blows: 2
        ) {
            system,
            random in
            for relay in await system.all(.relay) { try await system.replace(relay, .relay) }
            try await pause(500...1500, &random)
        },
        Fault(
            name: "writer-kill",
            summary: "writers are killed inside transactions",
            systems: .everywhere,
            blows: 0,
            losesLanes: false
        ) {
            system,
            random in
            for _ in 1...6 {
                if let writer = await system.any(.writer, &random) { try await system.replace(writer, .writer) }
                try await pause(100...700, &random)
            }
        },
    ]

    private static func kill(
        _ role: Role,
        at instant: Instant,
        _ system: System,
        _ random: inout SeededGenerator
    ) async throws {
        guard try await !system.kill(role, at: instant, &random) else { return }
        print("  no \(role.rawValue) reached the point \(instant.rawValue)")
    }

    /// Kills processes while they wait for a file that another program has locked, which determines their progress.
    private static func killHoldingLocks(
        _ system: System,
        _ roles: [Role],
        _ random: inout SeededGenerator
    ) async throws {
        for _ in 1...3 {
            for role in roles {
                // Relays can't append to the log, and consumers can't commit their offsets to it after their database
                // commit.
                let log = try await FileLock(system.places.directBroker.replacing("embedded:", with: "sqlite:"))
                try await pause(200...800, &random)
                var source: FileLock?
                if role == .relay, Bool.random(using: &random) {
                    // Now they can append but not mark.
                    source = try await FileLock(system.places.directSource)
                    try await log.giveBack()
                    try await pause(100...300, &random)
                    for process in await system.all(role) { try await system.replace(process, role) }
                } else {
                    for process in await system.all(role) { try await system.replace(process, role) }
                    try await log.giveBack()
                }
                try await source?.giveBack()
                try await pause(500...1500, &random)
            }
        }
    }
}
