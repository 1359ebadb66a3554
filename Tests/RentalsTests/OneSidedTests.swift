import Dionysus
import DionysusKafka
import Foundation
import TestSupport
import Testing

/// Applications that only publish or only consume, and the defaults.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct OneSidedTests {
    private static let producerOnly = ["relay", "preview", "compare-payloads", "genesis", "tombstone", "outbox"]
    private static let consumerOnly = ["consume", "lag", "reset", "backfill", "failures", "events"]

    @Test(
        "an application has only the commands, settings and connections of its sides",
        arguments: InstallationKind.available
    )
    func sides(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await Self.inEmptyDirectory { directory in
                let broker = ["DIONYSUS_SEED_BROKER": installation.environment["DIONYSUS_SEED_BROKER"] ?? ""]
                let source = installation.environment["SOURCE_DATABASE_URL"] ?? ""
                let publisher = Tool("PublisherTool", directory, broker.merging(["SOURCE_DATABASE_URL": source]) { $1 })
                let help = try await publisher.succeed("--help")
                for command in Self.producerOnly { #expect(help.contains("  \(command) "), "\(command)") }
                for command in Self.consumerOnly { #expect(!help.contains("  \(command) "), "\(command)") }
                try await publisher.succeed("migrate")
                #expect(try await publisher.succeed("validate") == "the declaration fits the database\n")
                try await installation.write("INSERT INTO widgets (id, name) VALUES (1, 'one'), (2, 'two');")
                try await publisher.succeed("topics --create")
                try await publisher.succeed("relay --until-empty")
                let published = try await publisher.succeed("config")
                #expect(published.contains("DIONYSUS_LANES") && !published.contains("REPLICA_DATABASE_URL"))
                #expect(!published.contains("DIONYSUS_CONSUMER_"))
                for command in ["consume", "lag", "health consumer"] {
                    #expect(try await publisher.run(command).status == 64, "\(command)")
                }

                // Two with all defaults except their names and replicas.
                try await Self.withReplicas(kind) { replicas in
                    for (name, replica) in zip(["keeper", "other"], replicas) {
                        var environment = broker
                        environment["REPLICA_DATABASE_URL"] = replica
                        environment["KEEPER_NAME"] = name
                        let keeper = Tool("KeeperTool", directory, environment)
                        let help = try await keeper.succeed("--help")
                        for command in Self.consumerOnly { #expect(help.contains("  \(command) "), "\(command)") }
                        for command in Self.producerOnly { #expect(!help.contains("  \(command) "), "\(command)") }
                        try await keeper.succeed("migrate")
                        try await keeper.succeed("validate")
                        let kept = try await keeper.succeed("config")
                        #expect(!kept.contains("SOURCE_DATABASE_URL") && !kept.contains("DIONYSUS_LANES"))
                        #expect(try await keeper.run("relay").status == 64)
                    }
                    // Both at the same time.
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for (name, replica) in zip(["keeper", "other"], replicas) {
                            var environment = broker
                            environment["REPLICA_DATABASE_URL"] = replica
                            environment["KEEPER_NAME"] = name
                            let keeper = Tool("KeeperTool", directory, environment)
                            group.addTask {
                                let consumed = try await keeper.run("consume --until-caught-up")
                                #expect(consumed.status == 0, "\(consumed.errors)")
                                #expect(consumed.errors.contains("as \(name)"), "\(consumed.errors)")
                                #expect(try await Self.count(replica) == "2")
                            }
                        }
                        try await group.waitForAll()
                    }
                }
                #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == [])
            }
        }
    }

    @Test("a client id set in code applies to its side, and the environment's to both")
    func clientID() async throws {
        try await Installation.with(.embedded) { installation in
            try await Self.inEmptyDirectory { directory in
                var environment = installation.environment
                try await Tool("PublisherTool", directory, environment).succeed("topics --create")
                environment["SOURCE_DATABASE_URL"] = nil
                environment["KEEPER_CLIENT"] = "mine"
                for (variable, expected) in [(nil, "as mine"), ("theirs", "as theirs")] {
                    environment["DIONYSUS_CLIENT_ID"] = variable
                    let keeper = Tool("KeeperTool", directory, environment)
                    try await keeper.succeed("migrate")
                    let result = try await keeper.run("consume --until-caught-up")
                    #expect(result.errors.contains(expected), "\(result.errors)")
                }
            }
        }
    }

    @Test("an application can install its own logging", arguments: ["stream", "own"])
    func logging(_ choice: String) async throws {
        try await Installation.with(.embedded) { installation in
            try await Self.inEmptyDirectory { directory in
                var environment = installation.environment
                environment["KEEPER_LOGGING"] = choice
                try await Tool("PublisherTool", directory, environment).succeed("topics --create")
                let keeper = Tool("KeeperTool", directory, environment)
                try await keeper.succeed("migrate")
                let result = try await keeper.run("consume --until-caught-up")
                #expect(result.errors.contains("consumer of sqlite:"), "\(result.errors)")
                #expect(result.errors.contains("own keeper") == (choice == "own"), "\(result.errors)")
            }
        }
    }

    @Test("an application uses files if no address is set, and guesses nothing if one is")
    func addresses() async throws {
        try await Self.inEmptyDirectory(writable: true) { directory in
            let migrated = try await Tool("rentals", directory, [:]).run("migrate")
            #expect(migrated.status == 0)
            #expect(migrated.errors.contains("no address is set, so the application uses files under rentals-data/"))
            let files = try FileManager.default.contentsOfDirectory(atPath: "\(directory)/rentals-data")
            #expect(files.contains("source.sqlite") && files.contains("replica.sqlite"))
        }
        try await Self.inEmptyDirectory { directory in
            let all = ["SOURCE_DATABASE_URL", "REPLICA_DATABASE_URL", "DIONYSUS_SEED_BROKER"]
            let values = [
                "sqlite:/nonexistent/s.sqlite", "postgres://me:hush@127.0.0.1:1/copy", "embedded:/nonexistent/l.sqlite",
            ]
            let needs = [
                "relay": [0, 2], "consume": [1, 2], "migrate": [0, 1], "validate": [0, 1], "uninstall": [0, 1],
                "lag": [1, 2], "tombstone v3_rentals Rental 1": [0, 2], "outbox list": [0], "failures list": [1, 2],
                "events list": [1], "topics": [2], "health relay": [0], "health consumer": [1], "genesis list": [0],
            ]
            for set in 0..<3 {
                let tool = Tool("rentals", directory, [all[set]: values[set]])
                for (command, needed) in needs where needed != [set] {
                    let result = try await tool.run(command)
                    #expect(result.status == 1, "\(command)")
                    for name in needed where name != set {
                        #expect(result.errors.contains(all[name]), "\(command): \(result.errors)")
                    }
                    #expect(result.errors.contains("must be set, since \(all[set]) is"), "\(command): \(result.errors)")
                    #expect(!result.errors.contains("hush"))
                }
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == [])
        }
    }

    @Test("the server shows the application and service of each session")
    func applicationName() async throws {
        guard InstallationKind.available.contains(.servers) else { return }
        try await Installation.with(.servers) { installation in
            try await installation.succeed("migrate")
            let services = try ["relay", "consume"].map { try installation.start($0) }
            for (name, address) in [
                ("rentals relay", "SOURCE_DATABASE_URL"), ("rentals consumer", "REPLICA_DATABASE_URL"),
            ] {
                // Waits until the service has connected, ignoring other tests' services, which the server shows too. A
                // service that has not started yet would die of the signal instead of exiting with 0.
                let database = installation.environment[address]?.split(separator: "/").last ?? ""
                try await installation.write(
                    """
                    DO $$ BEGIN
                      FOR i IN 1..600 LOOP
                        PERFORM pg_stat_clear_snapshot();
                        IF EXISTS (
                          SELECT 1 FROM pg_stat_activity WHERE application_name = '\(name)' AND datname = '\(database)'
                        ) THEN RETURN; END IF;
                        PERFORM pg_sleep(0.05);
                      END LOOP;
                      RAISE 'no session of \(name)';
                    END $$;
                    """
                )
            }
            for service in services {
                let result = await service.terminate()
                #expect(result.status == 0, "\(result.errors)")
            }
        }
    }

    private struct Tool {
        let program: String
        let directory: String
        let environment: [String: String]

        init(_ name: String, _ directory: String, _ environment: [String: String]) {
            program = Installation.executable(named: name).path
            self.directory = directory
            self.environment = environment
        }

        func run(_ command: String) async throws -> RunningProcess.Result {
            try await RunningProcess(
                "sh",
                ["-c", "cd \(directory) && exec \(program) \(command)"],
                environment: environment
            )
            .result()
        }

        @discardableResult
        func succeed(_ command: String, location: SourceLocation = #_sourceLocation) async throws -> String {
            let result = try await run(command)
            #expect(result.status == 0, "\(command): \(result.errors)", sourceLocation: location)
            return result.output
        }
    }

    /// A working directory that is not writable, unless the user is root.
    private static func inEmptyDirectory(writable: Bool = false, _ body: (String) async throws -> Void) async throws {
        try await withTemporaryDirectory { directory in
            let path = "\(directory)/work"
            mkdir(path, writable ? 0o755 : 0o555)
            try await body(path)
        }
    }

    private static func withReplicas(_ kind: InstallationKind, _ body: ([String]) async throws -> Void) async throws {
        if kind == .embedded {
            try await withTemporaryDirectory { directory in
                try await body(["a", "b"].map { "sqlite:\(directory)/\($0).sqlite" })
            }
        } else {
            try await withTemporaryPostgresURL { first in
                try await withTemporaryPostgresURL { second in try await body([first, second]) }
            }
        }
    }

    private static func count(_ replica: String) async throws -> String {
        let query = "SELECT count(*) FROM widgets WHERE synced_id IS NOT NULL AND name IS NOT NULL"
        let process =
            replica.hasPrefix("sqlite:")
            ? try RunningProcess("sqlite3", [String(replica.dropFirst(7)), query], environment: [:])
            : try RunningProcess("psql", ["-Atqc", query, replica], environment: [:])
        return await process.result().output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
