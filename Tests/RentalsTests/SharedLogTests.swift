import Dionysus
import Foundation
import TestSupport
import Testing

/// Several replicas on one log, in separate processes.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct SharedLogTests {
    /// An installation, and the environment of another application with the same name and another replica.
    private static func withTwo(
        _ kind: InstallationKind,
        _ body: (Installation, Installation) async throws -> Void
    ) async throws {
        try await Installation.with(kind) { installation in
            func run(_ replica: String) async throws {
                var other = installation
                other.environment["REPLICA_DATABASE_URL"] = replica
                for one in [installation, other] { try await one.succeed("migrate") }
                try await installation.succeed("seed", "--rentals", "40")
                try await installation.succeed("topics", "--create")
                try await body(installation, other)
            }
            switch kind {
            case .embedded: try await withTemporaryDirectory { try await run("sqlite:\($0)/other.sqlite") }
            case .servers, .bouncer: try await withTemporaryPostgresURL { try await run($0) }
            }
        }
    }

    @Test(
        "two replicas never share a group: the second is refused, or takes it over",
        arguments: InstallationKind.available
    )
    func oneGroup(_ kind: InstallationKind) async throws {
        try await Self.withTwo(kind) { one, other in
            try await one.replicateAndVerify()
            let refused = try await other.run("consume", "--until-caught-up")
            #expect(refused.status == 1)
            for part in ["is another replica's", "take-over", "DIONYSUS_CLIENT_ID"] {
                #expect(refused.errors.contains(part), "\(part): \(refused.errors)")
            }
            #expect(try await other.run("verify").status != 0)
            #expect(try await one.run("replica", "take-over").output.contains("belongs to no other replica"))

            // The other one detects it while running, and stops.
            let running = try one.start("consume")
            let takeover = try await other.succeed("replica", "take-over", "--json")
            #expect(takeover.contains(#""replaced":[""#))
            try await other.succeed("consume", "--until-caught-up")
            try await other.succeed("verify")
            let ended = await running.result()
            #expect(ended.status == 1 && ended.errors.contains("is another replica's"), "\(ended.errors)")
            #expect(try await one.run("consume", "--until-caught-up").status == 1)
        }
    }

    @Test(
        "replicas with different client ids each get everything, reading concurrently",
        arguments: InstallationKind.available
    )
    func ownGroups(_ kind: InstallationKind) async throws {
        try await Self.withTwo(kind) { one, other in
            var second = other
            second.environment["DIONYSUS_CLIENT_ID"] = "second"
            let replicas = [one, second]
            let consumers = try replicas.map { try $0.start("consume") }
            try await one.succeed("relay", "--until-empty")
            // The suite's time limit ends an endless wait.
            for replica in replicas { while try await replica.run("verify").status != 0 {} }
            for consumer in consumers { #expect(await consumer.terminate().status == 0) }
        }
    }

    @Test("a recreated topic stops the consumer until the loss is accepted or the topic is reset")
    func createdAnew() async throws {
        try await Installation.with(.embedded) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed("seed", "--rentals", "20")
            try await installation.replicateAndVerify()
            let log = try #require(installation.environment["DIONYSUS_SEED_BROKER"]).dropFirst("embedded:".count)
            for file in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: "\(log)\(file)") }
            for _ in 1...3 {
                try await installation.write("UPDATE rentals SET name = name || ' again'")
                try await installation.succeed("relay", "--until-empty")
            }
            for _ in 1...2 {
                let refused = try await installation.run("consume", "--until-caught-up")
                #expect(refused.status == 1 && refused.errors.contains("--accept-loss"), "\(refused.errors)")
            }
            let lag = try await installation.run("lag")
            #expect(lag.output.contains("?") && lag.errors.contains("v3_rentals"), "\(lag.output)\(lag.errors)")
            #expect(try await installation.succeed("lag", "--json").contains(#""lag":null"#))
            // A health check of a supervised consumer reports it too.
            _ = try await installation.run("consume")
            let health = try await installation.run("health", "consumer")
            #expect(health.status == 1 && health.errors.contains("v3_"), "\(health.errors)")
            try await installation.succeed("consume", "--until-caught-up", "--accept-loss")
            #expect(try await installation.succeed("lag", "--json").contains(#""lag":null"#) == false)
            try await installation.succeed("consume", "--until-caught-up")
        }
    }
}
