import FakeKafka
import Foundation
import TestSupport
import Testing

/// The example's processes on a Kafka that rejects them, lacks their topics, or becomes unavailable.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct KafkaTroubleTests {
    private static let wrong =
        "security.protocol=sasl_plaintext;sasl.mechanism=PLAIN;sasl.username=me;sasl.password=hush"

    @Test("every command reports in one line that the broker rejects its credentials")
    func refusedCommands() async throws {
        try await Self.run { installation, kafka in
            try await installation.succeed(
                "seed",
                "--accounts",
                "1",
                "--rentals",
                "2",
                "--bookings",
                "2",
                "--fees",
                "2"
            )
            kafka.change { $0.credentials = ("me", "another") }
            var refused = installation
            refused.environment["DIONYSUS_BROKER_SETTINGS"] = Self.wrong
            let commands = [
                ["topics"], ["topics", "--create"], ["lag"], ["relay", "--until-empty"],
                ["consume", "--until-caught-up"],
                ["messages", "v3_rentals"], ["tombstone", "v3_rentals", "Rental", "9999"],
            ]
            for command in commands {
                let result = try await refused.run(command)
                #expect(result.status != 0, "\(command)")
                let lines = result.errors.split(separator: "\n").filter { $0.contains("refuses this client") }
                #expect(!lines.isEmpty, "\(command): \(result.errors)")
                #expect(lines.allSatisfy { $0.contains("Invalid username or password") }, "\(result.errors)")
                #expect(!result.errors.contains("hush"))
            }
            // Nothing was lost or counted.
            kafka.change { $0.credentials = nil }
            try await installation.succeed("topics", "--create")
            try await installation.replicateAndVerify()
        }
    }

    @Test(
        "a rejected service is live but not ready, and continues once it is accepted",
        arguments: ["relay", "consumer"]
    )
    func refusedServices(_ role: String) async throws {
        try await Self.run { installation, kafka in
            try await installation.succeed("topics", "--create")
            kafka.change { $0.credentials = ("me", "another") }
            var refused = installation
            refused.environment["DIONYSUS_BROKER_SETTINGS"] = Self.wrong
            let process = try refused.start(role == "relay" ? "relay" : "consume")
            try await refused.wait(for: 1, "health", role, saying: "Invalid username or password")
            try await refused.succeed("health", role, "--live")
            kafka.change { $0.credentials = ("me", "hush") }
            try await refused.wait(for: 0, "health", role)
            let result = await process.terminate(within: .seconds(30))
            #expect(result.status == 0, "\(result.errors)")
            let lines = result.errors.split(separator: "\n").filter { $0.contains("refuses this client") }
            #expect(lines.count == 1, "\(result.errors)")
        }
    }

    @Test("rows wait for missing topics without counting an attempt, and continue once the topics exist")
    func topicsLater() async throws {
        try await Self.run { installation, kafka in
            try await installation.succeed(
                "seed",
                "--accounts",
                "1",
                "--rentals",
                "3",
                "--bookings",
                "6",
                "--fees",
                "6"
            )
            // The broker starts later than the services.
            await kafka.stop()
            let relay = try installation.start("relay")
            let consumer = try installation.start("consume")
            try await installation.wait(for: 1, "health", "relay", saying: "no Kafka broker answers")
            try await kafka.start()
            for role in ["relay", "consumer"] {
                try await installation.wait(for: 1, "health", role, saying: "topics --create")
            }
            try await installation.succeed("topics", "--create")
            for role in ["relay", "consumer"] { try await installation.wait(for: 0, "health", role) }
            let published = await relay.terminate(within: .seconds(30))
            _ = await consumer.terminate(within: .seconds(30))
            try await installation.replicateAndVerify()
            let lines = published.errors.split(separator: "\n").filter { $0.contains("rows wait") }
            #expect(!lines.isEmpty)
            #expect(Set(lines.compactMap { $0.split(separator: "'").dropFirst().first }).count == lines.count)
            #expect(!published.errors.contains("publish a row of the outbox"), "\(published.errors)")
        }
    }

    @Test("relay --until-empty exits with 1 if rows wait for a topic, and counts no attempt")
    func emptyingWithoutTopics() async throws {
        try await Self.run { installation, _ in
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
            let result = try await installation.run("relay", "--until-empty")
            #expect(result.status == 1)
            #expect(result.errors.contains("topics --create"), "\(result.errors)")
            let failed = try await installation.succeed("outbox", "list", "--failed", "--json")
            #expect(failed.contains(#""rows":[]"#), "\(failed)")
        }
    }

    @Test("an idle relay is not ready while the broker is unavailable")
    func idleRelay() async throws {
        try await Self.run { installation, kafka in
            let relay = try installation.start("relay")
            try await installation.wait(for: 0, "health", "relay")
            await kafka.stop()
            try await installation.wait(for: 1, "health", "relay", saying: "no Kafka broker answers")
            try await installation.succeed("health", "relay", "--live")
            try await kafka.start()
            try await installation.wait(for: 0, "health", "relay")
            #expect(await relay.terminate(within: .seconds(30)).status == 0)
        }
    }

    @Test("topics are created and checked on a broker that reports them with a delay")
    func lateTopics() async throws {
        try await Self.run { installation, kafka in
            kafka.change { $0.metadataLag = 6 }
            let created = try await installation.succeed("topics", "--create", "--check")
            #expect(created.contains("created") && !created.contains(" no "), "\(created)")
            try await installation.succeed("topics", "--check")
        }
    }

    @Test("a consumer whose group uses another assignment strategy is not ready and says what to set")
    func otherProtocols() async throws {
        try await Self.run { installation, kafka in
            try await installation.succeed("topics", "--create")
            kafka.change { $0.groupProtocols = ["range", "roundrobin"] }
            let consumer = try installation.start("consume")
            try await installation.wait(for: 1, "health", "consumer", saying: "range,roundrobin")
            let result = await consumer.terminate(within: .seconds(30))
            #expect(result.errors.contains("INCONSISTENT_GROUP_PROTOCOL"), "\(result.errors)")
            let once = try await installation.run("consume", "--until-caught-up")
            #expect(once.status == 1)
            #expect(once.errors.contains("range,roundrobin"), "\(once.errors)")
            var shared = installation
            shared.environment["DIONYSUS_CONSUMER_SETTINGS"] = "partition.assignment.strategy=range,roundrobin"
            try await shared.succeed("consume", "--until-caught-up")
        }
    }

    @Test(
        "credentials are read from every source, with any characters, and never shown",
        arguments: ["quotes", "backslash", "file", "variables", "password file"]
    )
    func credentials(_ place: String) async throws {
        let password = #"a;b=c "d" \e#"#
        try await Self.run { installation, kafka in
            kafka.change { $0.credentials = ("me", password) }
            try await withTemporaryDirectory { directory in
                var own = installation
                let file = "\(directory)/file"
                let rest = "security.protocol=sasl_plaintext;sasl.mechanism=PLAIN;sasl.username=me"
                switch place {
                case "quotes":
                    let quoted = password.replacing(#"\"#, with: #"\\"#).replacing(#"""#, with: #"\""#)
                    own.environment["DIONYSUS_BROKER_SETTINGS"] = #"sasl.password="\#(quoted)";\#(rest)"#
                case "backslash":
                    let escaped = password.replacing(";", with: #"\;"#)
                    own.environment["DIONYSUS_BROKER_SETTINGS"] = "\(rest);sasl.password=\(escaped)"
                case "file":
                    let lines = "# Kafka\n\(rest.replacing(";", with: "\n"))\n\nsasl.password = \(password)\n"
                    try lines.write(toFile: file, atomically: true, encoding: .utf8)
                    own.environment["DIONYSUS_BROKER_SETTINGS_FILE"] = file
                default:
                    own.environment["DIONYSUS_BROKER_USER"] = "me"
                    own.environment["DIONYSUS_BROKER_SECURITY_PROTOCOL"] = "sasl_plaintext"
                    if place == "variables" {
                        own.environment["DIONYSUS_BROKER_PASSWORD"] = password
                    } else {
                        try "\(password)\n".write(toFile: file, atomically: true, encoding: .utf8)
                        own.environment["DIONYSUS_BROKER_PASSWORD_FILE"] = file
                    }
                }
                try await own.succeed("topics", "--create")
                let shown = try await own.succeed("config")
                #expect(!shown.contains("a;b") && !shown.contains("d\\\"") && !shown.contains(#"\e"#), "\(shown)")
            }
        }
    }

    @Test(
        "faults in settings are reported without values",
        arguments: [
            ("DIONYSUS_BROKER_SETTINGS", #"sasl.password="hush;hush"#),
            ("DIONYSUS_BROKER_SETTINGS", "sasl.password=a;hush"),
            ("DIONYSUS_BROKER_SETTINGS", #"sasl.password="hush"hush;acks=all"#),
            ("DIONYSUS_BROKER_SETTINGS_FILE", "/no/such/file"), ("DIONYSUS_BROKER_PASSWORD_FILE", "/no/such/file"),
            ("DIONYSUS_BROKER_PASSWORD", "hush"), ("DIONYSUS_BROKER_USER", "hush"),
        ]
    )
    func wrongSettings(_ name: String, _ value: String) async throws {
        try await Installation.with(.embedded) { installation in
            var own = installation
            own.environment["DIONYSUS_SEED_BROKER"] = "127.0.0.1:1"
            own.environment[name] = value
            let result = try await own.run("topics")
            #expect(result.status == 1)
            #expect(!(result.output + result.errors).contains("hush"), "\(result.errors)")
            // The last two are parsed correctly, but incomplete.
            let isNamed = ["security.protocol", "sasl.password"].contains { result.errors.contains($0) }
            #expect(result.errors.contains(name) || isNamed, "\(result.errors)")
        }
    }

    /// Runs a test with migrated SQLite databases and a Kafka.
    private static func run(_ body: (Installation, FakeKafka) async throws -> Void) async throws {
        try await FakeKafka.run { kafka in
            try await Installation.with(.embedded) { installation in
                try await withTemporaryDirectory { directory in
                    var own = installation
                    own.environment["DIONYSUS_SEED_BROKER"] = kafka.bootstrapServers
                    own.environment["DIONYSUS_HEARTBEAT_DIRECTORY"] = "\(directory)/heartbeats"
                    try await own.succeed("migrate")
                    try await body(own, kafka)
                }
            }
        }
    }
}
