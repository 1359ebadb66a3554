import Foundation
import TestSupport
import Testing

/// The behaviour of the repository's scripts.
@Suite struct ScriptTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    @Test(
        "the superuser of the throw-away servers needs a password that other users can't read",
        arguments: ["DIONYSUS_TEST_POSTGRES_URL", "DIONYSUS_TEST_PGBOUNCER_URL"]
    )
    func services(_ name: String) async throws {
        let environment = ProcessInfo.processInfo.environment
        guard let url = environment[name], let file = environment["PGPASSFILE"], file.hasPrefix("/tmp/dionysus.") else {
            return
        }
        func connect(_ variables: [String: String]) async throws -> Int32 {
            try await RunningProcess("psql", ["-w", "-Atc", "SELECT 1", url], environment: variables).result().status
        }
        #expect(try await connect([:]) == 0)
        #expect(try await connect(["PGPASSFILE": "/nonexistent"]) != 0)
        #expect(try mode(of: file) == 0o600)
        #expect(try mode(of: URL(filePath: file).deletingLastPathComponent().path) == 0o700)
        guard Bystander.isPossible else { return }
        let directory = URL(filePath: file).deletingLastPathComponent().path
        let other = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        for command in [["ls", directory], ["psql", "-w", "-Atc", "SELECT 1", url]] {
            #expect(try await RunningProcess("setpriv", other + command, environment: [:]).result().status != 0)
        }
    }

    @Test("audit names dependencies with advisories, and prints the age of the advisories")
    func audit() async throws {
        try await withTemporaryDirectory { directory in
            func audit(_ version: String, _ advisory: String) async throws -> RunningProcess.Result {
                let resolved = "\(directory)/Package.resolved"
                let advisories = "\(directory)/advisories.tsv"
                let pin = #"{"identity" : "thing", "state" : {"revision" : "1234", "VERSION}}"#
                    .replacing("VERSION", with: version)
                    .replacing(", \"", with: ",\n\"").replacing("{\"", with: "{\n\"")
                try Data(pin.utf8).write(to: URL(filePath: resolved))
                try Data("# date: 2026-01-31\n\(advisory)\n".utf8).write(to: URL(filePath: advisories))
                return try await RunningProcess(
                    "\(Self.root)/script/audit",
                    [resolved, advisories],
                    environment: [:]
                )
                .result()
            }
            let advisory = "thing\t1.2.0\t1.10.1\tGHSA-1\tit breaks"
            for (version, status) in [
                ("1.1.9", 0), ("1.2.0", 1), ("1.9.0", 1), ("1.10.0", 1), ("1.10.1", 0), ("2.0.0", 0),
                ("1.10.1-beta.1", 1),
            ] {
                let result = try await audit("version\" : \"\(version)\"", advisory)
                #expect(result.status == status, "\(version): \(result.output)")
                #expect(result.output.contains("the advisories of 2026-01-31"))
                #expect(result.output.contains("GHSA-1") == (status == 1))
            }
            #expect(try await audit("version\" : \"9.0.0\"", "thing\t1.0.0\tnone\tGHSA-2\tit breaks").status == 1)
            #expect(try await audit("version\" : \"9.0.0\"", "other\t1.0.0\tnone\tGHSA-2\tit breaks").status == 0)
            #expect(try await audit("branch\" : \"main\"", advisory).status == 1)
        }
    }

    @Test("no dependency has a known advisory")
    func dependencies() async throws {
        let result = try await RunningProcess("\(Self.root)/script/audit", [], environment: [:]).result()
        #expect(result.status == 0, "\(result.output)")
    }
}
