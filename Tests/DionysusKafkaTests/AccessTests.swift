import Dionysus
import DionysusKafka
import FakeKafka
import TestSupport
import Testing

/// A client whose settings don't fit the broker gets the reason, and it is not treated as an outage.
@Suite("A broker that lets a client not in", .timeLimit(.minutes(10)))
struct AccessTests {
    private static let plain = [
        "security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", "sasl.username": "bookings",
        "sasl.password": "se-cret",
    ]

    /// Producers, consumers and administrative requests all report it.
    private func expectRefusal(
        _ servers: String,
        _ settings: [String: String],
        says words: String,
        location: SourceLocation = #_sourceLocation
    ) async throws {
        let broker = try KafkaBroker(bootstrapServers: servers, settings: settings, logger: .silent)
        func check(_ error: DionysusError?) {
            #expect(error?.code == .accessDenied, "\(String(describing: error))", sourceLocation: location)
            #expect(error?.isRetriable == false, sourceLocation: location)
            #expect(error?.description.contains(words) == true, "\(error as Any)", sourceLocation: location)
            #expect(error?.description.contains("se-cret") != true, sourceLocation: location)
        }
        let described = await #expect(throws: DionysusError.self, sourceLocation: location) {
            _ = try await broker.describeTopics(nil)
        }
        check(described)
        let producer = try await broker.makeProducer(ProducerOptions(clientID: "test", messageTimeout: .seconds(300)))
        if case .failure(let error)? = await producer.send([.numbered(0)]).first { check(error) } else { check(nil) }
        check(producer.outage)
        let consumer = try await broker.makeConsumer(ConsumerOptions(clientID: "test", groupID: "g", topics: ["t"]))
        while consumer.outage == nil { _ = try await consumer.next(maxMessages: 1, timeout: .milliseconds(100)) }
        check(consumer.outage)
        await broker.close()
    }

    @Test func `a wrong password is reported`() async throws {
        var script = Script()
        script.credentials = ("bookings", "another")
        try await FakeKafka.run(script) { kafka in
            try await expectRefusal(kafka.bootstrapServers, Self.plain, says: "Invalid username or password")
        }
    }

    @Test func `a mechanism that the broker lacks is reported, with its mechanisms`() async throws {
        var script = Script()
        script.credentials = ("bookings", "se-cret")
        script.mechanisms = ["SCRAM-SHA-512"]
        try await FakeKafka.run(script) { kafka in
            try await expectRefusal(kafka.bootstrapServers, Self.plain, says: "SCRAM-SHA-512")
        }
    }

    @Test func `a client without credentials learns that the broker requires them`() async throws {
        var script = Script()
        script.credentials = ("bookings", "se-cret")
        try await FakeKafka.run(script) { kafka in
            try await expectRefusal(
                kafka.bootstrapServers,
                [:],
                says: "security.protocol to sasl_ssl or sasl_plaintext"
            )
        }
    }

    @Test func `correct credentials are accepted`() async throws {
        var script = Script()
        script.credentials = ("bookings", "se-cret")
        script.createTopic("t", partitions: 1)
        try await FakeFixture.run(script, settings: Self.plain) { fixture in
            let producer = try await fixture.producer()
            #expect(await producer.send([.numbered(0)]).map(\.code) == [nil])
            #expect(producer.outage == nil)
        }
    }

    @Test func `a client that is accepted later continues`() async throws {
        var script = Script()
        script.credentials = ("bookings", "another")
        script.createTopic("t", partitions: 1)
        try await FakeFixture.run(script, settings: Self.plain) { fixture in
            let producer = try await fixture.producer()
            #expect(await producer.send([.numbered(0)]).map(\.code) == [.accessDenied])
            fixture.kafka.change { $0.credentials = ("bookings", "se-cret") }
            var code = DionysusError.Code?.some(.accessDenied)
            while code == .accessDenied { code = await producer.send([.numbered(0)]).first?.code }
            #expect(code == nil)
            #expect(producer.outage == nil)
        }
    }

    @Test func `a client without TLS learns that the port requires TLS`() async throws {
        try await TLSServer.with { server in
            try await expectRefusal(server.address, [:], says: "security.protocol to ssl or sasl_ssl")
        }
    }

    @Test func `a client with TLS learns that the port doesn't speak TLS`() async throws {
        try await FakeKafka.run { kafka in
            try await expectRefusal(
                kafka.bootstrapServers,
                ["security.protocol": "ssl", "enable.ssl.certificate.verification": "false"],
                says: "it does not speak TLS on this port"
            )
        }
    }

    @Test func `a certificate of an unknown CA is reported`() async throws {
        try await TLSServer.with { server in
            let settings = ["security.protocol": "ssl", "ssl.ca.location": server.stranger.file]
            try await expectRefusal(server.address, settings, says: "ssl.ca.location")
        }
    }

    @Test func `a certificate for another host is reported`() async throws {
        try await TLSServer.with { server in
            let settings = ["security.protocol": "ssl", "ssl.ca.location": server.authority]
            let address = server.address.replacing("localhost", with: "127.0.0.1")
            try await expectRefusal(address, settings, says: "a host in its certificate")
        }
    }

    @Test func `a client without a certificate learns that the broker requires one`() async throws {
        try await TLSServer.with(demandsCertificates: true) { server in
            let settings = ["security.protocol": "ssl", "ssl.ca.location": server.authority]
            try await expectRefusal(server.address, settings, says: "ssl.certificate.location")
        }
    }

    @Test func `an untrusted client certificate is reported`() async throws {
        try await TLSServer.with(demandsCertificates: true) { server in
            let settings = [
                "security.protocol": "ssl", "ssl.ca.location": server.authority,
                "ssl.certificate.location": server.stranger.file, "ssl.key.location": server.stranger.key,
            ]
            try await expectRefusal(server.address, settings, says: "ssl.certificate.location")
        }
    }

    @Test func `a port where nobody listens is an outage, with its reason`() async throws {
        let broker = try KafkaBroker(bootstrapServers: "127.0.0.1:1", logger: .silent)
        let error = await #expect(throws: DionysusError.self) { _ = try await broker.describeTopics(nil) }
        #expect(error?.code == .brokerUnavailable)
        #expect(error?.description.contains("Connection refused") == true, "\(error as Any)")
        await broker.close()
    }

    @Test(arguments: [
        (["sasl.username": "a", "sasl.password": "se-cret"], "security.protocol"),
        (["security.protocol": "sasl_ssl", "sasl.mechanism": "PLAIN", "sasl.username": "a"], "sasl.password"),
        (["security.protocol": "sasl_ssl", "sasl.username": "a", "sasl.password": "se-cret"], "sasl.mechanism"),
        (["security.protocol": "sasl_ssl", "sasl.mechanism": "OAUTHBEARER"], "sasl.oauthbearer.method"),
        (["security.protocol": "ssl", "ssl.ca.location": "/no/such/file"], "/no/such/file"),
        (["security.protocol": "ssl", "ssl.key.location": "/no/such/key"], "/no/such/key"),
        (["ssl.ca.location": "/dev/null"], "security.protocol"),
    ])
    func `invalid settings are reported before connecting`(
        settings: [String: String],
        word: String
    ) throws {
        let error = try #require(throws: DionysusError.self) {
            _ = try KafkaBroker(bootstrapServers: "localhost:1", settings: settings, logger: .silent)
        }
        #expect(error.code == .configuration)
        #expect(error.description.contains(word), "\(error)")
        #expect(!error.debugDescription.contains("se-cret"))
    }
}
