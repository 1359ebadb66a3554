import Dionysus
import TestSupport

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
            name: "moves",
            summary:
                "a few records move between partition keys, are soft-deleted, restored and deleted in quick succession",
            systems: .everywhere,
            blows: 0,
            losesLanes: false
        ) {
            system,
            random in
            let accounts = try await system.source.transaction(.snapshot) { transaction in
                try transaction.run("SELECT min(id), max(id) FROM accounts").first
                    .map { (try $0.integer(0) ?? 1, try $0.integer(1) ?? 1) }
            }
            let (first, last) = accounts ?? (1, 1)
            let now = system.source.dialect.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 1...3 as ClosedRange<Int64> {
                    var random = SeededGenerator(seed: random.next())
                    group.addTask {
                        // Each has its own records, whose ids don't change which ones the other writers choose.
                        for _ in 1...150 {
                            let id = -writer * 10 - Int64.random(in: 0...2, using: &random)
                            let account = Int64.random(in: first...last, using: &random)
                            let statement: SQL =
                                switch Int.random(in: 0...9, using: &random) {
                                case 0...4:
                                    "UPDATE rentals SET account_id = \(account), updated_at = \(now) WHERE id = \(id)"
                                case 5: "UPDATE rentals SET canceled_at = \(now), updated_at = \(now) WHERE id = \(id)"
                                case 6: "UPDATE rentals SET canceled_at = NULL, updated_at = \(now) WHERE id = \(id)"
                                case 7: "UPDATE rentals SET price = price + 1, updated_at = \(now) WHERE id = \(id)"
                                case 8: "DELETE FROM rentals WHERE id = \(id)"
                                default:
                                    """
                                    INSERT INTO rentals (id, account_id, name, price) VALUES (\(id), \(account), 'moving', 10)
                                    ON CONFLICT (id) DO NOTHING
                                    """
                                }
                            try await system.disturb([statement])
                            try await pause(1...15, &random)
                        }
                    }
                }
                try await group.waitForAll()
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
