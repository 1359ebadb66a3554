import Dionysus
import Foundation
import TestSupport
import Testing

/// Genesis runs through the example application's processes.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct GenesisTests {
    /// The number of rentals that a run publishes.
    static let rentals = 20_000

    @Test(
        "a genesis with live changes survives kills of the relay: nothing is skipped or repeated, no deleted record comes back",
        arguments: InstallationKind.available
    )
    func kills(_ kind: InstallationKind) async throws {
        try await withEmbeddedLog(kind) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed(
                "seed",
                "--accounts",
                "50",
                "--rentals",
                "\(Self.rentals)",
                "--bookings",
                "1000",
                "--fees",
                "2000"
            )
            // The replica must get everything from the genesis alone.
            try await installation.write("DELETE FROM dionysus_outboxes;")
            for (topic, model) in [
                ("v3_accounts", "Account"), ("v3_rentals", "Rental"), ("v3_bookings", "Booking"),
            ] {
                try await installation.succeed("genesis", "start", topic, model)
            }
            let traffic = try installation.start("traffic", "--rate", "300", "--seconds", "10")
            var relay = try installation.start("relay")
            for share in [10, 40, 70] {
                while try await recordsQueued(by: 2, in: installation) < Self.rentals * share / 100 {}
                await relay.killAndWait()
                relay = try installation.start("relay")
            }
            #expect(await traffic.result().status == 0)
            while try await report(of: 2, in: installation)["state"] != .string("completed") {}
            let result = await relay.terminate()
            #expect(result.status == 0, "\(result.errors)")
            try await installation.replicateAndVerify()
            for run in 1...3 {
                let state = try await report(of: run, in: installation)["state"]
                #expect(state == .string("completed"))
            }
            let repeated = try await installation.query(
                """
                SELECT count(*) FROM (
                  SELECT resource_id FROM dionysus_outboxes WHERE origin LIKE 'genesis:%'
                  GROUP BY origin, resource_id HAVING count(*) > 1
                ) repeated;
                """
            )
            #expect(repeated == "0")
        }
    }

    @Test("the commands show a run's progress, and what is wrong", arguments: InstallationKind.available)
    func commands(_ kind: InstallationKind) async throws {
        try await withEmbeddedLog(kind) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed("seed", "--rentals", "100")
            let started = try await installation.succeed(
                "genesis",
                "start",
                "v3_rentals",
                "Rental",
                "--over",
                "0.5",
                "--from",
                "2020-01-01",
                "--where",
                "bedrooms=2",
                "--visible-only",
                "--json"
            )
            let run = try JSON(parsing: Array(started.trimmed.utf8))
            #expect(run["over_seconds"] == .number("43200.0"))
            #expect(run["visible_only"] == .bool(true))
            #expect(run["from"] == .string("2020-01-01T00:00:00.000000Z"))
            #expect(try await installation.succeed("genesis", "list").contains("v3_rentals"))
            #expect(try await installation.succeed("genesis", "show", "1").contains("bedrooms = 2"))
            #expect(try await installation.succeed("genesis", "pause", "1").contains("paused"))
            #expect(try await installation.succeed("genesis", "resume", "1").contains("running"))
            #expect(try await installation.succeed("genesis", "cancel", "1", "--json").contains(#""cancelled""#))

            for (arguments, status, text) in [
                (["show", "7"], 1, "there is no genesis run 7"),
                (["resume", "1"], 1, "it is cancelled"),
                (["start", "v3_bookings", "BookingsFee"], 1, "start a genesis of Booking"),
                (["start", "v3_rentals", "Rental", "--over", "never"], 64, "not a positive number of days"),
                (["start", "v3_rentals", "Rental", "--where", "bedrooms"], 64, "is not COLUMN=VALUE"),
                (["show"], 64, "Missing expected argument"),
            ] as [([String], Int32, String)] {
                let result = try await installation.start(["genesis"] + arguments).result()
                #expect(result.status == status)
                #expect(result.errors.contains(text), "\(result.errors)")
                if status == 1 { #expect(result.errors.trimmed.split(separator: "\n").count == 1) }
            }
        }
    }

    /// An installation whose log is a file: a mock cluster keeps only the last few megabytes.
    private func withEmbeddedLog(
        _ kind: InstallationKind,
        _ body: (Installation) async throws -> Void
    ) async throws {
        try await Installation.with(kind) { installation in
            try await withTemporaryDirectory { directory in
                var installation = installation
                installation.environment["DIONYSUS_SEED_BROKER"] = "embedded:\(directory)/log.sqlite"
                // The embedded log doesn't support a Kafka client's settings.
                installation.environment["DIONYSUS_CONSUMER_SETTINGS"] = nil
                try await body(installation)
            }
        }
    }

    private func report(of run: Int, in installation: Installation) async throws -> JSON {
        try JSON(parsing: Array(try await installation.succeed("genesis", "show", "\(run)", "--json").trimmed.utf8))
    }

    private func recordsQueued(by run: Int, in installation: Installation) async throws -> Int {
        guard case .integer(let records) = try await report(of: run, in: installation)["records_queued"] else {
            return 0
        }
        return Int(records)
    }
}

extension Installation {
    /// Queries the source with another program: psql or sqlite3.
    func query(_ query: String) async throws -> String {
        let url = environment["SOURCE_DATABASE_URL"] ?? ""
        let (program, arguments) =
            kind == .embedded
            ? ("sqlite3", ["-bail", String(url.dropFirst("sqlite:".count)), query])
            : ("psql", ["-qAt", "-c", query, url])
        let result = try await RunningProcess(program, arguments, environment: [:]).result()
        #expect(result.status == 0, "\(program): \(result.errors)")
        return result.output.trimmed
    }
}

extension String {
    fileprivate var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
