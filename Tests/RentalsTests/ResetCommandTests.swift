import Dionysus
import DionysusPostgres
import DionysusSQLite
import Foundation
import TestSupport
import Testing

/// `rentals reset` and `rentals backfill` with running processes.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct ResetCommandTests {
    @Test("a replay of every topic leaves the replica equal to the source", arguments: InstallationKind.all)
    func replay(_ kind: InstallationKind) async throws {
        try await Self.withReplica(kind) { installation in
            try await installation.write(
                """
                UPDATE rentals SET name = 'again' WHERE id % 2 = 0;
                DELETE FROM bookings_fees WHERE id % 3 = 0;
                DELETE FROM bookings_fees WHERE booking_id IN (SELECT id FROM bookings WHERE id % 5 = 0);
                DELETE FROM bookings WHERE id % 5 = 0;
                """
            )
            try await installation.replicateAndVerify()
            for topic in ["v3_accounts", "v3_rentals", "v3_bookings"] {
                let report = try await installation.succeed("reset", "--topic", topic, "--to", "earliest", "--json")
                guard case .array(let resets) = try JSON(parsing: report.utf8) else {
                    Issue.record("\(report)")
                    continue
                }
                #expect(resets.count == 4)
                for (number, reset) in resets.enumerated() {
                    #expect(reset["topic"] == .string(topic) && reset["partition"] == .integer(Int64(number)))
                    #expect(reset["to"] == .integer(0) && reset["failures_forgotten"] == .integer(0))
                }
            }
            let lag = try await installation.succeed("lag", "--json")
            #expect(!lag.contains(#""position":1"#) && lag.contains(#""out_of_range":false"#))
            try await installation.succeed("consume", "--until-caught-up")
            try await installation.succeed("verify")
        }
    }

    @Test("a reset is refused while the consumer runs, unless forced", arguments: InstallationKind.available)
    func running(_ kind: InstallationKind) async throws {
        try await Self.withReplica(kind) { installation in
            let consumer = try installation.start("consume")
            try await installation.untilRefused()
            let refused = try await installation.run("reset", "--topic", "v3_rentals")
            #expect(refused.status == 1)
            #expect(refused.errors.contains("is being consumed by") && refused.errors.contains("--force"))
            #expect(refused.errors.contains("process \(consumer.identifier)"), "\(refused.errors)")
            #expect(refused.errors.split(separator: "\n").count == 1)

            let forced = try await installation.succeed("reset", "--topic", "v3_rentals", "--to", "latest", "--force")
            #expect(forced.contains("TOPIC") && forced.contains("v3_rentals"))
            #expect(await consumer.terminate().status == 0)
            try await installation.succeed("reset", "--topic", "v3_rentals")
            try await installation.replicateAndVerify()
        }
    }

    @Test("records of a topic with an event log come back only if the log forgets, and the command says so")
    func eventLog() async throws {
        try await Self.withReplica(.embedded) { installation in
            try await installation.withReplicaDatabase { database in
                _ = try await database.transaction(.write) { try $0.run("DELETE FROM accounts") }
            }
            let kept = try await installation.run("reset", "--topic", "v3_accounts")
            #expect(kept.status == 0 && kept.errors.contains("5 events of v3_accounts"), "\(kept.errors)")
            #expect(kept.errors.contains("--with-event-log"))
            try await installation.succeed("consume", "--until-caught-up")
            #expect(try await installation.run("verify").status != 0)
            let forgotten = try await installation.run("reset", "--topic", "v3_accounts", "--with-event-log", "--json")
            #expect(forgotten.status == 0 && forgotten.errors.isEmpty, "\(forgotten.errors)")
            #expect(forgotten.output.contains(#""events_kept":0"#))
            try await installation.succeed("consume", "--until-caught-up")
            try await installation.succeed("verify")
        }
    }

    @Test("after a kill the reset is refused for ten seconds at most", arguments: InstallationKind.available)
    func killed(_ kind: InstallationKind) async throws {
        try await Self.withReplica(kind) { installation in
            let consumer = try installation.start("consume")
            try await installation.untilRefused()
            await consumer.killAndWait()
            // The suite's time limit ends an endless wait.
            while try await installation.run("reset", "--topic", "v3_rentals").status != 0 {}
            try await installation.replicateAndVerify()
        }
    }

    @Test("wrong usage exits with 64, missing objects with 1 and a line that says so")
    func usage() async throws {
        try await Self.withReplica(.embedded) { installation in
            for arguments in [
                ["reset"], ["reset", "--topic", "v3_rentals", "--to", "yesterday"],
                ["reset", "--topic", "v3_rentals", "--to=-1"], ["backfill"], ["backfill", "Rental"],
                ["backfill", "Rental", "price", "--batch-size", "0"],
            ] {
                #expect(try await installation.run(arguments).status == 64, "\(arguments)")
            }
            for (arguments, reason) in [
                (["reset", "--topic", "v3_ghosts"], "not consumed"),
                (["reset", "--topic", "v3_rentals", "--to", "1000000"], "not everywhere in the log"),
                (["reset", "--topic", "v3_rentals", "--partition", "9"], "no partition 9"),
                (["backfill", "Ghost", "price"], "no replica"), (["backfill", "Rental", "ghost"], "no column ghost"),
            ] {
                let result = try await installation.run(arguments)
                #expect(result.status == 1 && result.errors.contains(reason), "\(arguments): \(result.errors)")
            }
            for command in ["reset", "backfill"] {
                let help = try await installation.succeed(command, "--help")
                #expect(help.contains("OVERVIEW") && help.contains("JSON: ") && help.contains("--json"))
            }
            let earlier = try await installation.succeed(
                "reset",
                "--topic",
                "v3_rentals",
                "--to",
                "2020-01-01T00:00:00Z"
            )
            #expect(earlier.contains("v3_rentals"))
            try await installation.replicateAndVerify()
        }
    }

    @Test("a killed backfill resumes where it stopped", arguments: InstallationKind.all)
    func backfill(_ kind: InstallationKind) async throws {
        try await Self.withReplica(kind, rentals: 5_000) { installation in
            try await installation.withReplicaDatabase { database in
                _ = try await database.transaction(.write) {
                    try $0.run("UPDATE rentals SET price = NULL, bedrooms = NULL")
                }
            }
            let arguments = ["backfill", "Rental", "price", "bedrooms", "--batch-size", "20", "--json"]
            let killed = try installation.start(arguments)
            try await installation.withReplicaDatabase { database in
                while try await Self.examined(database) == 0 {
                    try await ContinuousClock().sleep(for: .milliseconds(5))
                }
            }
            await killed.killAndWait()
            try await installation.withReplicaDatabase { database in
                let examined = try await Self.examined(database)
                #expect(examined < 5_000)
            }
            let report = try JSON(parsing: try await installation.succeed(arguments).utf8)
            #expect(report["examined"] == .integer(5_000) && report["assigned"] == .integer(5_000))
            #expect(report["refused"] == .integer(0) && report["absent"] == .integer(0))
            try await installation.succeed("verify")
        }
    }

    /// The number of rows that the only backfill has examined.
    private static func examined(_ database: any Database) async throws -> Int64 {
        try await database.transaction(.snapshot) { transaction in
            try transaction.run("SELECT examined FROM dionysus_backfills").first?.integer(0) ?? 0
        }
    }

    /// An installation whose replica has caught up.
    @Test("a record's version is forgotten, and missing records are reported", arguments: InstallationKind.available)
    func forgetVersion(_ kind: InstallationKind) async throws {
        try await Self.withReplica(kind) { installation in
            try await installation.withReplicaDatabase { database in
                try await database.transaction(.write) { transaction in
                    _ = try transaction.run("UPDATE rentals SET synced_version = 9223372036854775807, name = 'forged'")
                }
            }
            let report = try await installation.succeed("replica", "forget-version", "Rental", "1", "--json")
            let members = #""records":1,"members":0,"destructions":0}"#
            #expect(report == #"{"model":"Rental","id":"1",\#(members)\#n"#)
            try await installation.write("UPDATE rentals SET bedrooms = bedrooms + 1")
            try await installation.succeed("relay", "--until-empty")
            try await installation.succeed("consume", "--until-caught-up")
            try await installation.withReplicaDatabase { database in
                let healed = try await database.transaction(.snapshot) { transaction in
                    try transaction.run("SELECT synced_id FROM rentals WHERE name <> 'forged'")
                }
                #expect(try healed.rows.map { try $0.integer(0) } == [1])
            }
            for arguments in [["Castle", "1"], ["Rental", "0"], ["Rental", "x"], ["Rental", "\u{1b}[31m"]] {
                let refused = try await installation.run(["replica", "forget-version"] + arguments)
                #expect(refused.status == 64 && refused.errors.hasPrefix("Error: "), "\(arguments): \(refused.errors)")
                #expect(!refused.errors.contains("\u{1b}"))
            }
        }
    }

    private static func withReplica(
        _ kind: InstallationKind,
        rentals: Int = 50,
        _ body: (Installation) async throws -> Void
    ) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed([
                "seed", "--accounts", "5", "--rentals", "\(rentals)", "--bookings", "60", "--fees", "90",
            ])
            try await installation.replicateAndVerify()
            try await body(installation)
        }
    }
}

extension Installation {
    @discardableResult
    fileprivate func succeed(
        _ arguments: [String],
        location: SourceLocation = #_sourceLocation
    ) async throws -> String {
        let result = try await run(arguments)
        #expect(result.status == 0, "\(arguments): \(result.errors)", sourceLocation: location)
        return result.output
    }

    /// Waits until a consumer has registered itself, which it does as soon as it starts.
    fileprivate func untilRefused() async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try await run("reset", "--topic", "v3_accounts", "--to", "latest").status == 0 {
            try #require(ContinuousClock.now < deadline)
        }
    }

    /// Runs a body with the replica's database.
    fileprivate func withReplicaDatabase(_ body: (any Database) async throws -> Void) async throws {
        let url = environment["REPLICA_DATABASE_URL"] ?? ""
        let database: any Database =
            url.hasPrefix("sqlite:")
            ? try SQLiteDatabase(path: String(url.dropFirst("sqlite:".count))) : try PostgresDatabase(url: url)
        do {
            try await body(database)
        } catch {
            await database.close()
            throw error
        }
        await database.close()
    }
}
