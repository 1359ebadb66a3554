import Foundation
import TestSupport
import Testing

/// `rentals health` with running processes.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct HealthTests {
    @Test(
        "health follows a service from before its start to after its end",
        arguments: InstallationKind.available,
        [("relay", "relay"), ("consumer", "consume")]
    )
    func life(_ kind: InstallationKind, _ service: (role: String, command: String)) async throws {
        try await Self.withInstallation(kind) { installation in
            let role = service.role
            try await installation.succeed("migrate")
            let never = try await installation.run("health", role)
            #expect(never.status == 1)
            #expect(never.errors.contains("there is no heartbeat"), "\(never.errors)")

            if role == "consumer" {
                // Without its topics it isn't ready.
                try await installation.succeed(
                    "seed",
                    "--accounts",
                    "1",
                    "--rentals",
                    "1",
                    "--bookings",
                    "1",
                    "--fees",
                    "1"
                )
                try await installation.succeed("relay", "--until-empty")
            }
            let process = try installation.start(service.command)
            let report = try await installation.wait(for: 0, "health", role, "--json").output
            try await installation.succeed("health", role, "--live")
            #expect(report.contains(#""healthy":true"#) && report.contains(#""pid":\#(process.identifier)"#))

            process.signal(SIGSTOP)
            let frozen = try await installation.wait(for: 1, "health", role, "--live", "--max-age", "2")
            #expect(frozen.errors.contains("last heartbeat is"), "\(frozen.errors)")
            process.signal(SIGCONT)
            try await installation.wait(for: 0, "health", role, "--live", "--max-age", "2")

            #expect(await process.terminate().status == 0)
            let stopped = try await installation.run("health", role, "--json")
            #expect(stopped.status == 1)
            #expect(stopped.errors.contains("the \(role) has stopped"), "\(stopped.errors)")
            #expect(stopped.output.contains(#""healthy":false"#))
        }
    }

    @Test("a killed relay is neither live nor ready")
    func killed() async throws {
        try await Self.withInstallation(.embedded) { installation in
            try await installation.succeed("migrate")
            let process = try installation.start("relay")
            try await installation.wait(for: 0, "health", "relay")
            await process.killAndWait()
            let result = try await installation.run("health", "relay", "--live")
            #expect(result.status == 1)
            #expect(result.errors.contains("is gone"), "\(result.errors)")
        }
    }

    @Test("a relay that could not start says why")
    func failedStart() async throws {
        try await Self.withInstallation(.embedded) { installation in
            #expect(try await installation.run("relay").status == 1)
            let result = try await installation.run("health", "relay", "--live")
            #expect(result.status == 1)
            #expect(result.errors.contains("the relay has stopped"), "\(result.errors)")
        }
    }

    @Test("a relay whose database is unavailable is live but not ready")
    func databaseAway() async throws {
        try await Self.withInstallation(.embedded) { installation in
            var away = installation
            away.environment["SOURCE_DATABASE_URL"] = "postgres://somebody:hush@127.0.0.1:1/shop"
            let process = try away.start("relay")
            let reason = try await away.wait(for: 1, "health", "relay", saying: "prepare the relay")
            #expect(!reason.errors.contains("hush"))
            try await away.succeed("health", "relay", "--live")
            #expect(await process.terminate().status == 0)
        }
    }

    @Test("a consumer whose database is unavailable is live but not ready")
    func replicaAway() async throws {
        try await Self.withInstallation(.embedded) { installation in
            var away = installation
            away.environment["REPLICA_DATABASE_URL"] = "postgres://somebody:hush@127.0.0.1:1/shop"
            let process = try away.start("consume")
            let reason = try await away.wait(for: 1, "health", "consumer", saying: "check the declaration")
            #expect(!reason.errors.contains("hush"))
            try await away.succeed("health", "consumer", "--live")
            #expect(await process.terminate().status == 0)
        }
    }

    @Test("a consumer whose broker is unavailable is live but not ready")
    func brokerAway() async throws {
        try await Self.withInstallation(.embedded) { installation in
            try await installation.succeed("migrate")
            var away = installation
            away.environment["DIONYSUS_SEED_BROKER"] = "127.0.0.1:1"
            let process = try away.start("consume")
            try await away.wait(for: 1, "health", "consumer", saying: "the broker can't be reached")
            try await away.succeed("health", "consumer", "--live")
            #expect(await process.terminate().status == 0)
        }
    }

    @Test("a consumer that could not start says why")
    func stoppedConsumer() async throws {
        try await Self.withInstallation(.embedded) { installation in
            #expect(try await installation.run("consume").status == 1)
            let result = try await installation.run("health", "consumer", "--live")
            #expect(result.status == 1)
            #expect(result.errors.contains("the consumer has stopped: the consumer can't start"), "\(result.errors)")
        }
    }

    @Test("wrong usage exits with 64, an unwritable directory with 1 and the setting's name")
    func usage() async throws {
        try await Self.withInstallation(.embedded) { installation in
            #expect(try await installation.run("health").status == 64)
            #expect(try await installation.run("health", "browser").status == 64)
            #expect(try await installation.run("health", "relay", "--max-age", "0").status == 64)
            try await installation.succeed("migrate")
            var wrong = installation
            wrong.environment["DIONYSUS_HEARTBEAT_DIRECTORY"] = "/dev/null/heartbeats"
            let result = try await wrong.run("relay")
            #expect(result.status == 1)
            #expect(result.errors.contains("heartbeatDirectory"), "\(result.errors)")
        }
    }

    static func withInstallation(
        _ kind: InstallationKind,
        _ body: (Installation) async throws -> Void
    ) async throws {
        try await Installation.with(kind) { installation in
            try await withTemporaryDirectory { directory in
                var own = installation
                own.environment["DIONYSUS_HEARTBEAT_DIRECTORY"] = "\(directory)/heartbeats"
                try await body(own)
            }
        }
    }
}

extension Installation {
    /// Runs a command repeatedly until it exits with a status and a text, for at most a minute.
    @discardableResult
    func wait(
        for status: Int32,
        _ arguments: String...,
        saying text: String = "",
        location: SourceLocation = #_sourceLocation
    ) async throws -> RunningProcess.Result {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let result = try await RunningProcess(program, arguments, environment: environment).result()
            let isAsExpected = result.status == status && (text.isEmpty || result.errors.contains(text))
            if isAsExpected { return result }
            guard ContinuousClock.now < deadline else {
                Issue.record("\(arguments): \(result.status) \(result.errors)", sourceLocation: location)
                return result
            }
        }
    }
}
