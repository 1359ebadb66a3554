import Dionysus
import DionysusKafkaTesting
import Foundation
import TestSupport
import Testing

/// Errors are one clear line, and whatever can resume does.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct BadInputTests {
    @Test("wrong usage exits with 64, wrong settings with 1 and all their names")
    func usage() async throws {
        try await Installation.with(.embedded) { installation in
            #expect(try await installation.run("nonsense").status == 64)
            #expect(try await installation.run("relay", "--nonsense").status == 64)
            #expect(try await installation.run("seed", "--rentals", "-5").status == 64)
            var wrong = installation
            wrong.environment["DIONYSUS_WORKERS"] = "many"
            wrong.environment["DIONYSUS_WROKERS"] = "4"
            let result = try await wrong.run("relay")
            #expect(result.status == 1)
            #expect(result.errors.contains("DIONYSUS_WORKERS must be a whole number"))
            #expect(result.errors.contains("DIONYSUS_WROKERS is not a setting"))
        }
    }

    @Test(
        "an unreachable database is one line without secrets",
        arguments: [
            "mysql://somebody@localhost/shop", "postgres://somebody:hush@127.0.0.1:1/shop", "sqlite:/dev/null/x.sqlite",
            "",
        ]
    )
    func database(_ url: String) async throws {
        try await Installation.with(.embedded) { installation in
            var wrong = installation
            wrong.environment["SOURCE_DATABASE_URL"] = url
            let result = try await wrong.run("migrate")
            #expect(result.status == 1)
            #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
            #expect(!result.errors.contains("hush"))
        }
    }

    @Test("config shows where settings come from, and no password")
    func config() async throws {
        try await Installation.with(.embedded) { installation in
            var secret = installation
            secret.environment["SOURCE_DATABASE_URL"] = "postgres://somebody:hush@db/shop"
            secret.environment["REPLICA_DATABASE_URL"] =
                "postgres://db/shop?user=somebody&password=hush&sslmode=require"
            secret.environment["DIONYSUS_BROKER_SETTINGS"] = "sasl.password=hush;sasl.username=somebody"
            let result = try await secret.run("config", "--json")
            #expect(result.status == 0)
            #expect(!result.output.contains("hush"), "\(result.output)")
            #expect(result.output.contains("somebody:***@db/shop") && result.output.contains("sslmode=require"))
            #expect(
                result.output.contains(#""source":"environment""#) && result.output.contains(#""source":"default""#)
            )
        }
    }

    @Test(
        "no form of URL or settings makes config or an error show a secret",
        arguments: [
            // The URL with the secret, and the part that may be shown.
            (
                "postgres://somebody:hush@db:5433/shop?sslmode=require",
                "postgres://somebody:***@db:5433/shop?sslmode=require"
            ),
            ("postgres://db/shop?user=somebody&password=hush", "postgres://somebody:***@db/shop"),
            ("postgres://somebody@db/shop?p%61ssword=hush", "postgres://somebody:***@db/shop"),
            ("postgres://somebody@db/shop?sslp%61ssw%6frd=hush", "postgres://somebody@db/shop?sslpassword=***"),
            ("postgresql://:hush@db", "postgres://:***@db/"),
            ("postgres://somebody:%68ush@one:1,two:2/shop", "postgres://somebody:***@one:1,two:2/shop"),
            ("postgres://somebody:hush@/shop?host=/run/sockets", "postgres://somebody:***@/shop?host=/run/sockets"),
            ("postgres://db/shop?options=-c%20app.secret%3Dhush", "postgres://db/shop?options=***"),
            // URLs that libpq parses differently from the intention.
            ("postgres://somebody:a@hush@db/shop", "***"), ("postgres://somebody:a/hush@db/shop", "***"),
            ("postgres://somebody:5432/hush@db/shop", "***"), ("postgres://somebody:a?b@hush@db/shop", "***"),
            ("postgres://somebody:a@@hush@db/shop", "***"), ("postgres://hush", "postgres://hush/"),
            ("postgres://somebody:a#hush[@db/shop", "postgres://somebody:***@db/shop"),
            ("postgres://db/shop?nonsense=hush", "***"), ("postgres://db/shop?password=hush&hush", "***"),
            // Unsupported URLs.
            ("host=db password = hush user=somebody", "postgres://somebody:***@db/"),
            ("host=db password='hu sh", "***"), ("PASSWORD = hush", "***"), ("mysql://somebody:hush@db/shop", "***"),
            ("hush", "***"),
        ]
    )
    func urls(_ url: String, _ shown: String) async throws {
        try await Installation.with(.embedded) { installation in
            var secret = installation
            secret.environment["SOURCE_DATABASE_URL"] = url
            let report = try JSON(parsing: Array(try await secret.succeed("config", "--json").utf8))
            #expect(report["SOURCE_DATABASE_URL"]?["value"] == .string(shown))
            // The only URL above with this host.
            guard shown != "postgres://hush/" else { return }
            // Nobody listens there, and no name is resolved.
            secret.environment["SOURCE_DATABASE_URL"] = url.replacing("@db", with: "@127.0.0.1:1")
                .replacing("//db", with: "//127.0.0.1:1").replacing("host=db", with: "host=127.0.0.1 port=1")
            for command in ["config", "migrate", "validate"] {
                let result = try await secret.run(command)
                let text = result.output + result.errors
                #expect(!text.contains("hush") && !text.contains("%68ush") && !text.contains("hu sh"), "\(text)")
            }
        }
    }

    @Test(
        "settings of the broker's client are shown if they are known to be harmless",
        arguments: [
            ("sasl.password=hush", "sasl.password=***"), ("sasl.password = hush", "sasl.password=***"),
            ("sasl.oauthbearer.config=principal=hush", "sasl.oauthbearer.config=***"),
            ("sasl.kerberos.kinit.cmd=kinit -p hush", "sasl.kerberos.kinit.cmd=***"),
            ("sasl.oauthbearer.client.secret=hush", "sasl.oauthbearer.client.secret=***"),
            ("ssl.key.pem=hush", "ssl.key.pem=***"), ("ssl.key.password=hush", "ssl.key.password=***"),
            ("ssl.keystore.password=hush", "ssl.keystore.password=***"),
            ("sasl.password=1\\;hush;client.rack=a", "client.rack=a;sasl.password=***"),
            (
                "security.protocol=sasl_ssl;linger.ms=5;sasl.username=me",
                "linger.ms=5;sasl.username=me;security.protocol=sasl_ssl"
            ),
            ("sasl.password=1;hush=1", nil), ("sasl.password=1;hush", nil), ("hush", nil), ("hush.ms=1", nil),
        ] as [(String, String?)],
        ["DIONYSUS_BROKER_SETTINGS", "DIONYSUS_PRODUCER_SETTINGS", "DIONYSUS_CONSUMER_SETTINGS"]
    )
    func clientSettings(_ pair: (settings: String, shown: String?), _ name: String) async throws {
        try await Installation.with(.embedded) { installation in
            var secret = installation
            secret.environment[name] = pair.settings
            let result = try await secret.run("config", "--json")
            #expect(!(result.output + result.errors).contains("hush"), "\(result.output)\(result.errors)")
            guard let shown = pair.shown else {
                #expect(result.status == 1 && result.errors.contains("\(name) must be broker client settings"))
                return
            }
            let report = try JSON(parsing: Array(result.output.utf8))
            #expect(report[name]?["value"] == .string(shown))
        }
    }

    @Test("credentials in the broker's address are refused, neither shown nor looked up")
    func brokerCredentials() async throws {
        try await Installation.with(.embedded) { installation in
            var secret = installation
            for address in ["somebody:hush@127.0.0.1:1", "SASL_SSL://somebody:a@hush@127.0.0.1:1", "a:1;hush@b:2"] {
                secret.environment["DIONYSUS_SEED_BROKER"] = address
                for command in ["config", "relay", "topics"] {
                    let result = try await secret.run(command)
                    #expect(command == "config" || result.status == 1)
                    #expect(!(result.output + result.errors).contains("hush"), "\(result.output)\(result.errors)")
                }
            }
        }
    }

    @Test("a relay without an outbox says what to do", arguments: InstallationKind.available)
    func notMigrated(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            for command in ["relay", "consume"] {
                let result = try await installation.run(command)
                #expect(result.status == 1)
                #expect(result.errors.contains("migrate") || result.errors.contains("no table"), "\(result.errors)")
            }
            #expect(try await installation.run("validate").status == 1)
        }
    }

    @Test("a missing column is named, with its table and model", arguments: InstallationKind.available)
    func missingColumn(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.write("CREATE TABLE accounts (id integer PRIMARY KEY, name text);")
            let result = try await installation.run("migrate")
            #expect(result.status == 1)
            #expect(result.errors.contains("model Account: table accounts has no column default_check_in_time"))
            #expect(result.errors.contains("model Account: table accounts has no column created_at"))
        }
    }

    @Test(
        "messages in another format and unknown models block nothing",
        arguments: InstallationKind.available
    )
    func malformed(_ kind: InstallationKind) async throws {
        try await Installation.with(kind) { installation in
            try await installation.succeed("migrate")
            try await installation.succeed(
                "seed",
                "--accounts",
                "2",
                "--rentals",
                "5",
                "--bookings",
                "5",
                "--fees",
                "5"
            )
            let bad = [
                "not json", "{\"message\":[{\"event\":\"rental_updated\",\"model_name\":\"Rental\"", "[]", "\u{ff}",
            ]
            let unknown = #"{"message":[{"event":"ghost_created","model_name":"Ghost","data":[{"id":1,"links":{}}]}]}"#
            try await installation.withBroker { broker in
                let producer = try await broker.makeProducer(ProducerOptions(clientID: "test"))
                let results = await producer.send(
                    (bad + [unknown])
                        .map { value in
                            OutgoingMessage(
                                topic: "v3_accounts",
                                destination: .partition(0),
                                key: Array("Account:1".utf8),
                                value: Array(value.utf8)
                            )
                        }
                )
                for result in results { #expect(throws: Never.self) { try result.get() } }
                await producer.close(deadline: .seconds(10))
            }
            try await installation.replicateAndVerify()
        }
    }

    @Test("services wait for a broker that is down at the start or goes down later")
    func brokerOutage() async throws {
        guard TestDatabaseKind.available.contains(.postgres) else { return }
        let cluster = try MockCluster(brokers: 1)
        try await Installation.with(.servers) { installation in
            var installation = installation
            installation.environment["DIONYSUS_SEED_BROKER"] = cluster.bootstrapServers
            installation.environment["DIONYSUS_MESSAGE_TIMEOUT_MS"] = "2000"
            try await installation.succeed("migrate")
            try await installation.succeed(
                "seed",
                "--accounts",
                "2",
                "--rentals",
                "50",
                "--bookings",
                "50",
                "--fees",
                "50"
            )
            try cluster.stopBroker(1)
            let services = try ["relay", "consume"].map { try installation.start($0) }
            try await installation.succeed("traffic", "--rate", "50", "--seconds", "5")
            try cluster.startBroker(1)
            try await installation.succeed("traffic", "--rate", "50", "--seconds", "3")
            try cluster.stopBroker(1)
            try await installation.succeed("traffic", "--rate", "50", "--seconds", "3")
            try cluster.startBroker(1)
            for service in services { #expect(await service.terminate().status == 0) }
            try await installation.replicateAndVerify()
        }
        cluster.close()
    }
}
