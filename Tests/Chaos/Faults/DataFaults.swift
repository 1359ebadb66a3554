import Dionysus

extension Fault {
    static let dataFaults = [
        Fault(
            name: "genesis",
            summary: "a genesis run races the writers, while relays are killed",
            systems: .everywhere
        ) {
            system,
            random in
            for (topic, model) in [("v3_rentals", "Rental"), ("v3_bookings", "Booking"), ("v3_accounts", "Account")] {
                try await system.succeed("genesis", "start", topic, model)
                try await pause(100...600, &random)
                if let relay = await system.any(.relay, &random) { try await system.replace(relay, .relay) }
            }
        },
        Fault(
            name: "genesis-pause",
            summary: "a genesis run that is spread over seconds is paused and resumed, and relays are killed",
            systems: .everywhere
        ) {
            system,
            random in
            let started = try await system.run("genesis", "start", "v3_rentals", "Rental", "--over", "0.0001", "--json")
            guard case .object(let report) = try JSON(parsing: Array(started.output.utf8)), let id = report["id"] else {
                throw ChaosError("the run was not started: \(started.errors)")
            }
            for _ in 1...3 {
                // A finished run can't be paused.
                _ = try await system.run("genesis", "pause", id.text)
                if let relay = await system.any(.relay, &random) { try await system.replace(relay, .relay) }
                try await pause(300...1000, &random)
                _ = try await system.run("genesis", "resume", id.text)
                try await pause(300...1500, &random)
            }
        },
        Fault(
            name: "bulk",
            summary: "every record changes in one statement",
            systems: .everywhere,
            blows: 0,
            losesLanes: false
        ) { system, random in
            for _ in 1...3 {
                let statements: [SQL] = [
                    "UPDATE rentals SET price = price + 1", "UPDATE bookings_fees SET amount = amount + 1",
                    "UPDATE accounts SET default_check_in_time = \(Int.random(in: 8...20, using: &random))",
                ]
                try await system.disturb(statements)
                try await pause(300...900, &random)
            }
        },
        Fault(
            name: "re-creation",
            summary: "records are deleted and created again under their ids",
            systems: .everywhere,
            blows: 0,
            losesLanes: false
        ) {
            system,
            random in
            for _ in 1...20 {
                let id = Int.random(in: 1...10, using: &random) + 1_000_000
                let inTwo = Bool.random(using: &random)
                let deletion: SQL = "DELETE FROM rentals WHERE id = \(id)"
                let creation: SQL = """
                    INSERT INTO rentals (id, account_id, name, price) SELECT \(id), min(id), 'again', 10 FROM accounts
                    """
                if inTwo {
                    try await system.disturb([deletion])
                    try await pause(10...300, &random)
                    try await system.disturb([creation])
                } else {
                    try await system.disturb([deletion, creation])
                }
                try await pause(10...200, &random)
            }
        },
        Fault(
            name: "equal-times",
            summary: "records change repeatedly, and keep the same time",
            systems: .everywhere,
            blows: 0,
            losesLanes: false
        ) {
            system,
            random in
            let time = Timestamp.now
            let value: DatabaseValue = system.kind == .embedded ? .text(time.description) : .timestamp(time)
            for round in 1...40 {
                let id = Int.random(in: 1...5, using: &random)
                try await system.disturb([
                    "UPDATE rentals SET name = \("change \(round)"), updated_at = \(value) WHERE id = \(id)",
                    "UPDATE accounts SET default_check_in_time = \(round % 24), updated_at = \(value) WHERE id = \(id)",
                ])
                try await pause(5...60, &random)
            }
        },
        Fault(
            name: "clocks",
            summary: "the clocks of writers are an hour ahead or behind",
            systems: .everywhere,
            blows: 0,
            losesLanes: false
        ) {
            system,
            random in
            for _ in 1...15 {
                let id = Int.random(in: 1...100, using: &random)
                let hours = Bool.random(using: &random) ? 1 : -1
                let time = Timestamp(microseconds: Timestamp.now.microseconds + Int64(hours) * 3_600_000_000)
                let value: DatabaseValue = system.kind == .embedded ? .text(time.description) : .timestamp(time)
                try await system.disturb([
                    "UPDATE rentals SET name = \("at \(hours) h"), updated_at = \(value) WHERE id = \(id)"
                ])
                try await pause(20...200, &random)
            }
        },
    ]
}
