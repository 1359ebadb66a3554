import Dionysus
import Foundation
import TestSupport
import Testing

/// Verification runs through the example application's processes.
///
/// `DIONYSUS_TEST_VERIFIED_RENTALS=100000 DIONYSUS_TEST_VERIFICATION_RUNS=5` makes them large.
@Suite(.serialized, .timeLimit(.minutes(60)))
struct VerificationTests {
    /// The number of rentals that are compared, and how often.
    private static let rentals = number("DIONYSUS_TEST_VERIFIED_RENTALS") ?? 3_000
    private static let runs = number("DIONYSUS_TEST_VERIFICATION_RUNS") ?? 2
    /// How many rows are changed, deleted and invented, each.
    static let each = 10

    private static func number(_ name: String) -> Int? { ProcessInfo.processInfo.environment[name].flatMap { Int($0) } }

    /// How many rentals an installation holds: librdkafka's mock cluster keeps 5 MiB of a partition and drops the rest.
    private static func rentals(_ kind: InstallationKind) -> Int {
        kind == .embedded ? rentals : min(rentals, 30_000)
    }

    @Test(
        "under traffic and kills exactly the rows are found that were tampered with, and a repair makes the replica clean",
        arguments: InstallationKind.available
    )
    func tampering(_ kind: InstallationKind) async throws {
        let rentals = Self.rentals(kind)
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed(
                "seed",
                "--accounts",
                "20",
                "--rentals",
                "\(rentals)",
                "--bookings",
                "200",
                "--fees",
                "400"
            )
            let kept = try await installation.quietRentals(2 * Self.each)
            try await installation.replicateAndVerify()
            try await installation.tamper(kept)
            let expected = Found(
                missing: Set(kept[Self.each...]),
                stale: Set(kept[..<Self.each]),
                extra: Set((1...Self.each).map { 9_000_000 + $0 })
            )

            let traffic = try installation.start("traffic", "--rate", "300", "--seconds", "7200")
            var relay = try installation.start("relay")
            var consumer = try installation.start("consume")
            var run = 0
            for _ in 1...Self.runs {
                run = try await installation.startVerification()
                while try await installation.published(run) < rentals / 3 {}
                await relay.killAndWait()
                await consumer.killAndWait()
                relay = try installation.start("relay")
                consumer = try installation.start("consume")
                let found = try await installation.findings(run)
                #expect(found == expected, "run \(run)")
            }
            try await installation.succeed("verification", "repair", "\(run)")
            let last = try await installation.startVerification()
            #expect(try await installation.findings(last).all.isEmpty)
            for process in [traffic, relay, consumer] {
                let result = await process.terminate()
                #expect(result.status == 0, "\(result.errors)")
            }
            try await installation.replicateAndVerify()
        }
    }

    @Test("the commands show, pause, resume, cancel and repair runs", arguments: InstallationKind.available)
    func commands(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed("seed", "--rentals", "20")
            try await installation.replicateAndVerify()
            try await installation.writeReplica("UPDATE rentals SET name = 'changed' WHERE synced_id = 3;")
            try await installation.writeReplica("INSERT INTO rentals (synced_id, name) VALUES (777, 'invented');")
            try await installation.succeed(
                "verification",
                "start",
                "v3_rentals",
                "Rental",
                "--from",
                "1",
                "--to",
                "800"
            )
            let second = try await installation.run("verification", "start", "v3_rentals", "Rental")
            #expect(second.status == 1)
            #expect(second.errors.contains("verification run 1 of Rental in topic v3_rentals is running"))
            try await installation.succeed("verification", "pause", "1")
            #expect(try await installation.succeed("verification", "list").contains("paused"))
            try await installation.succeed("verification", "resume", "1")
            let early = try await installation.run("verification", "repair", "1")
            #expect(early.status == 1)
            try await installation.succeed("relay", "--until-empty")
            try await installation.succeed("consume", "--until-caught-up")
            let shown = try await installation.succeed("verification", "show", "1")
            #expect(shown.contains("1 stale, 1 extra"))
            #expect(shown.contains("Rental 3"))
            let dry = try await installation.succeed("verification", "repair", "1", "--dry-run")
            #expect(dry.contains("would remove Rental: 777"))
            #expect(dry.contains("would publish again Rental: 3"))
            let repaired = try await installation.succeed("verification", "repair", "1")
            #expect(repaired.contains("removed 1 of 1 rows"))
            #expect(repaired.contains("publishes 1 of 1 records again"))
            try await installation.replicateAndVerify()
            #expect(try await installation.succeed("verification", "repair", "1").contains("nothing to repair"))
            try await installation.succeed("verification", "start", "v3_rentals", "Rental")
            try await installation.succeed("verification", "cancel", "2")
            for arguments in [
                ["show", "9"], ["repair", "9"], ["start", "v3_none", "Rental"], ["start", "v3_rentals", "None"],
            ] {
                let result = try await installation.run(["verification"] + arguments)
                #expect(result.status == 1, "\(arguments)")
                #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
            }
            #expect(try await !installation.succeed("genesis", "list").contains("v3_rentals"))
        }
    }
}

/// The ids of the rows that a run has found.
private struct Found: Equatable {
    var missing: Set<Int> = []
    var stale: Set<Int> = []
    var extra: Set<Int> = []
    var unreadable: Set<Int> = []

    var all: Set<Int> { missing.union(stale).union(extra).union(unreadable) }
}

extension Installation {
    /// Makes rentals that no traffic touches, so that nothing heals them: it looks for ids above zero.
    fileprivate func quietRentals(_ count: Int) async throws -> [Int] {
        // In a trigger, SQLite takes -1 for a key that is not known yet.
        let ids = (1...count).map { -$0 - 1 }
        let rows = ids.map { "(\($0), -1, 'quiet')" }.joined(separator: ",")
        try await write("INSERT INTO accounts (id, name) VALUES (-1, 'Quiet');")
        try await write("INSERT INTO rentals (id, account_id, name) VALUES \(rows);")
        return ids
    }

    /// - Returns: The run's number; a change of an account with many rentals is a run, too.
    fileprivate func startVerification() async throws -> Int {
        let output = try await succeed("verification", "start", "v3_rentals", "Rental")
        return try #require(output.firstMatch(of: /[0-9]+/).flatMap { Int($0.0) })
    }

    fileprivate func tamper(_ ids: [Int]) async throws {
        let each = VerificationTests.each
        let list = { (part: ArraySlice<Int>) in part.map { String($0) }.joined(separator: ",") }
        try await writeReplica("UPDATE rentals SET name = 'tampered' WHERE synced_id IN (\(list(ids[..<each])));")
        try await writeReplica("DELETE FROM rentals WHERE synced_id IN (\(list(ids[each...])));")
        let rows = (1...each).map { "(\(9_000_000 + $0), 'invented')" }.joined(separator: ",")
        try await writeReplica("INSERT INTO rentals (synced_id, name) VALUES \(rows);")
    }

    private func report(_ run: Int) async throws -> JSON {
        try JSON(parsing: Array(try await succeed("verification", "show", "\(run)", "--json").utf8))
    }

    fileprivate func published(_ run: Int) async throws -> Int {
        guard case .integer(let count)? = try await report(run)["run"]?["records_published"] else { return 0 }
        return Int(count)
    }

    /// What a run has found, once it is completed.
    fileprivate func findings(_ run: Int) async throws -> Found {
        while true {
            guard case .array(let compared)? = try await report(run)["compared"], let first = compared.first,
                first["state"] == .string("completed"), case .array(let differences)? = first["differences"]
            else { continue }
            var found = Found()
            for difference in differences {
                guard case .string(let text)? = difference["record_id"], let id = Int(text) else { continue }
                switch difference["kind"] {
                case .string("missing")?: found.missing.insert(id)
                case .string("stale")?: found.stale.insert(id)
                case .string("extra")?: found.extra.insert(id)
                default: found.unreadable.insert(id)
                }
            }
            return found
        }
    }
}
