import Foundation

extension Fault {
    /// How long the broker keeps a place for a member that does not answer.
    static let sessionTimeout = Duration.seconds(4)

    static let processFaults = [
        Fault(name: "relay-kill", summary: "relays are killed every second", systems: .everywhere) { system, random in
            for _ in 1...6 {
                if let relay = await system.any(.relay, &random) { try await system.replace(relay, .relay) }
                try await pause(300...1500, &random)
            }
        },
        Fault(
            name: "consumer-kill",
            summary: "consumers of both groups are killed every second",
            systems: .everywhere,
            patience: sessionTimeout
        ) { system, random in
            for _ in 1...6 {
                let role: Role = Bool.random(using: &random) ? .consumer : .counter
                if let consumer = await system.any(role, &random) { try await system.replace(consumer, role) }
                try await pause(300...1500, &random)
            }
        },
        Fault(name: "relay-freeze", summary: "a relay stands still for longer than its lease", systems: .everywhere) {
            system,
            random in
            guard let relay = await system.any(.relay, &random) else { return }
            relay.signal(SIGSTOP)
            try await pause(8000...10_000, &random)
            relay.signal(SIGCONT)
        },
        Fault(
            name: "consumer-freeze",
            summary: "a consumer stands still for longer than its session",
            systems: .everywhere,
            patience: sessionTimeout
        ) { system, random in
            guard let consumer = await system.any(.consumer, &random), let counter = await system.any(.counter, &random)
            else { return }
            consumer.signal(SIGSTOP)
            counter.signal(SIGSTOP)
            try await pause(8000...10_000, &random)
            consumer.signal(SIGCONT)
            counter.signal(SIGCONT)
        },
        Fault(name: "terminate", summary: "processes are asked to end under load", systems: .everywhere) {
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
        Fault(name: "relays-at-once", summary: "all relays are killed, and two start at once", systems: .everywhere) {
            system,
            random in
            for relay in await system.all(.relay) { try await system.replace(relay, .relay) }
            try await pause(500...1500, &random)
        },
        Fault(name: "writer-kill", summary: "writers are killed inside transactions", systems: .everywhere) {
            system,
            random in
            for _ in 1...6 {
                if let writer = await system.any(.writer, &random) { try await system.replace(writer, .writer) }
                try await pause(100...700, &random)
            }
        },
    ]
}
