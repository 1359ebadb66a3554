import Dionysus
import Foundation
import TestSupport

extension Fault {
    static let postgresFaults = [
        Fault(name: "postgres-restart", summary: "PostgreSQL restarts, ending all sessions", systems: .onServers) {
            _,
            _ in
            try await restart("fast")
        },
        Fault(name: "postgres-crash", summary: "PostgreSQL is shut down at once, and recovers", systems: .onServers) {
            _,
            _ in
            try await restart("immediate")
        },
        Fault(name: "backend-kill", summary: "sessions are ended one after another", systems: .onServers) {
            system,
            random in
            for _ in 1...15 {
                let database = Bool.random(using: &random) ? system.source : system.replica
                try await system.disturb(
                    [
                        """
                        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1
                        """
                    ],
                    database
                )
                try await pause(50...400, &random)
            }
        },
        Fault(name: "lost-commit", summary: "the reply to a COMMIT is lost with its connection", systems: .onServers) {
            system,
            random in
            for _ in 1...12 {
                system.databaseProxy?.change { $0.lostReply = Array("COMMIT\0".utf8) }
                try await pause(100...500, &random)
            }
            system.databaseProxy?.change { $0.lostReply = nil }
        },
        Fault(name: "database-cut", summary: "connections to PostgreSQL are cut", systems: .onServers) {
            system,
            random in
            for _ in 1...8 {
                system.databaseProxy?.cut()
                try await pause(100...900, &random)
            }
        },
        Fault(name: "database-away", summary: "PostgreSQL can't be reached for seconds", systems: .onServers) {
            system,
            random in
            system.databaseProxy?.change { $0.isDown = true }
            system.databaseProxy?.cut()
            try await pause(2000...5000, &random)
            system.databaseProxy?.change { $0.isDown = false }
        },
        Fault(name: "database-slow", summary: "the way to PostgreSQL takes 20 ms and more", systems: .onServers) {
            system,
            random in
            system.databaseProxy?
                .change {
                    $0.delay = .milliseconds(20)
                    $0.jitter = .milliseconds(30)
                }
            try await pause(3000...5000, &random)
            system.databaseProxy?
                .change {
                    $0.delay = .zero
                    $0.jitter = .zero
                }
        },
        Fault(name: "deadlocks", summary: "other transactions lock the same rows in other orders", systems: .onServers)
        {
            system,
            random in
            for _ in 1...10 {
                let isSource = Bool.random(using: &random)
                let ids = (1...20).map { _ in Int.random(in: 1...100, using: &random) }
                let column = isSource ? "id" : "synced_id"
                let statements = ids.map { id -> SQL in
                    "UPDATE rentals SET bedrooms = bedrooms WHERE \(identifier: column) = \(id)"
                }
                try await system.disturb(statements, isSource ? system.source : system.replica)
                try await pause(20...100, &random)
            }
        },
        Fault(name: "statement-timeout", summary: "statements that take 15 ms are ended", systems: .onServers) {
            system,
            random in
            for database in [system.source, system.replica] { try await setTimeout("15ms", of: database) }
            system.databaseProxy?.cut()
            try await pause(2500...4000, &random)
            for database in [system.source, system.replica] { try await setTimeout("0", of: database) }
            system.databaseProxy?.cut()
        },
        Fault(name: "old-snapshot", summary: "a transaction keeps its snapshot open", systems: .onServers) {
            system,
            random in
            let database = try System.open(system.places.directSource)
            let length = Int.random(in: 4...7, using: &random)
            _ = try await database.transaction(.snapshot) { transaction in
                try transaction.run(["SELECT count(*) FROM rentals", "SELECT pg_sleep(\(length))"])
            }
            await database.close()
        },
    ]

    /// Restarts the test's server.
    private static func restart(_ mode: String) async throws {
        guard let control = ProcessInfo.processInfo.environment["DIONYSUS_TEST_POSTGRES_CONTROL"] else {
            throw ChaosError("DIONYSUS_TEST_POSTGRES_CONTROL is not set: run through script/with-services")
        }
        let command = "cd / && \(control) restart -w -s -m \(mode)"
        let result = try await RunningProcess("sh", ["-c", command], environment: [:]).result()
        guard result.status == 0 else { throw ChaosError("PostgreSQL did not restart: \(result.errors)") }
    }

    private static func setTimeout(_ value: String, of database: any Database) async throws {
        _ = try await database.transaction(.write) { transaction in
            let name = try transaction.run("SELECT current_database()").first?.text(0) ?? ""
            _ = try transaction.run("ALTER DATABASE \(identifier: name) SET statement_timeout = \(raw: "'\(value)'")")
        }
    }
}
