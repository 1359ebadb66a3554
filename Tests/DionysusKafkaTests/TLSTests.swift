import Dionysus
import DionysusKafka
import FakeKafka
import TestSupport
import Testing

/// A broker behind TLS, which presents a certificate and may require one.
@Suite("A broker that is reached by TLS", .timeLimit(.minutes(10)))
struct TLSTests {
    /// Runs a test with a broker that advertises a host, over TLS.
    private static func run(
        demandsCertificates: Bool = false,
        advertising host: String = "localhost",
        _ body: (FakeKafka, TLSProxy) async throws -> Void
    ) async throws {
        try await FakeKafka.run { kafka in
            kafka.change { $0.createTopic("t", partitions: 2) }
            try await TLSProxy.with(before: kafka.port, demandsCertificates: demandsCertificates) { proxy in
                kafka.change { $0.advertised = (host, proxy.port) }
                try await body(kafka, proxy)
            }
        }
    }

    private static func with(
        _ proxy: TLSProxy,
        _ settings: [String: String] = [:],
        _ body: (KafkaBroker) async throws -> Void
    ) async throws {
        let all = ["security.protocol": "ssl", "ssl.ca.location": proxy.certificate.file]
        let broker = try KafkaBroker(
            bootstrapServers: "localhost:\(proxy.port)",
            settings: all.merging(settings) { $1 },
            logger: .silent
        )
        do {
            try await body(broker)
        } catch {
            await broker.close()
            throw error
        }
        await broker.close()
    }

    /// Sends messages, reads them, and commits.
    private static func expectTraffic(_ broker: KafkaBroker, _ kafka: FakeKafka) async throws {
        #expect(try await broker.describeTopics(nil).map(\.name) == ["t"])
        let producer = try await broker.makeProducer(ProducerOptions(clientID: "test", messageTimeout: .seconds(20)))
        let results = await producer.send((0..<20).map { .numbered($0, partition: Int32($0 % 2)) })
        #expect(results.map(\.code) == Array(repeating: nil, count: 20))
        let consumer = try await broker.makeConsumer(ConsumerOptions(clientID: "test", groupID: "g", topics: ["t"]))
        let messages = try await Member(consumer: consumer, position: .earliest).read(20)
        #expect(Set(messages.map(\.text)) == Set((0..<20).map { "value \($0)" }))
        #expect(producer.outage == nil && consumer.outage == nil)
        try await consumer.commit([TopicPartition("t", 1): 10])
        while !Task.isCancelled, kafka.change({ $0.committed["t"]?[1] }) != 10 { await Task.yield() }
    }

    @Test func `messages are sent and read`() async throws {
        try await Self.run { kafka, proxy in
            try await Self.with(proxy) { try await Self.expectTraffic($0, kafka) }
        }
    }

    @Test func `messages are sent and read with a client certificate`() async throws {
        try await Self.run(demandsCertificates: true) { kafka, proxy in
            let own = ["ssl.certificate.location": proxy.client.file, "ssl.key.location": proxy.client.key]
            try await Self.with(proxy, own) { try await Self.expectTraffic($0, kafka) }
        }
    }

    @Test func `SASL works over TLS`() async throws {
        try await Self.run { kafka, proxy in
            kafka.change { $0.credentials = ("bookings", "se-cret") }
            let credentials = [
                "security.protocol": "sasl_ssl", "sasl.mechanism": "PLAIN", "sasl.username": "bookings",
                "sasl.password": "se-cret",
            ]
            try await Self.with(proxy, credentials) { try await Self.expectTraffic($0, kafka) }
        }
    }

    /// It is reached by one name, and then advertises another one.
    @Test func `an advertised host that isn't in the certificate is reported`() async throws {
        try await Self.run(advertising: "127.0.0.1") { kafka, proxy in
            try await Self.with(proxy) { broker in
                func check(_ error: DionysusError?) {
                    #expect(error?.code == .accessDenied, "\(error as Any)")
                    #expect(error?.description.contains("127.0.0.1") == true, "\(error as Any)")
                    #expect(error?.description.contains("a host in its certificate") == true)
                }
                let options = ProducerOptions(clientID: "test", messageTimeout: .seconds(5))
                let producer = try await broker.makeProducer(options)
                if case .failure(let error)? = await producer.send([.numbered(0)]).first {
                    check(error)
                } else {
                    check(nil)
                }
                let consumer = try await broker.makeConsumer(
                    ConsumerOptions(clientID: "test", groupID: "g", topics: ["t"])
                )
                while consumer.outage == nil {
                    _ = try await consumer.next(maxMessages: 1, timeout: .milliseconds(100))
                }
                check(consumer.outage)
            }
            // Without host name verification it is accepted.
            let anyHost = ["ssl.endpoint.identification.algorithm": "none"]
            try await Self.with(proxy, anyHost) { try await Self.expectTraffic($0, kafka) }
        }
    }
}
