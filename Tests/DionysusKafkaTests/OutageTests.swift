import Dionysus
import DionysusKafka
import Testing

/// A group member's view of an unavailable broker.
@Suite(.serialized, .timeLimit(.minutes(10))) struct OutageTests {
    private func wait(_ consumer: any MessageConsumer, until isSo: (DionysusError?) -> Bool) async throws {
        while !isSo(consumer.outage) { _ = try await consumer.next(maxMessages: 10, timeout: .milliseconds(100)) }
    }

    @Test func `the loss and the return of a broker are noticed`() async throws {
        try await Fixture.run(settings: ["reconnect.backoff.max.ms": "500"]) { fixture in
            let member = try await fixture.member()
            _ = try await member.join()
            #expect(member.consumer.outage == nil)
            try fixture.cluster.stopBroker(1)
            try await wait(member.consumer) { $0 != nil }
            let outage = try #require(member.consumer.outage)
            #expect(outage.code == .brokerUnavailable && outage.isRetriable)
            try fixture.cluster.startBroker(1)
            try await wait(member.consumer) { $0 == nil }
        }
    }

    @Test func `a reconnection is not an outage`() async throws {
        try await Fixture.run(settings: ["reconnect.backoff.max.ms": "200"]) { fixture in
            let member = try await fixture.member()
            _ = try await member.join()
            fixture.cluster.fail(.fetch, with: [-195, -195])
            let producer = try await fixture.producer()
            for result in await producer.send((0..<20).map { .numbered($0) }) { _ = try result.get() }
            #expect(try await member.read(20).count == 20)
            #expect(member.consumer.outage == nil)
        }
    }

    @Test func `a broker that was never reachable is noticed`() async throws {
        let broker = try KafkaBroker(bootstrapServers: "127.0.0.1:1", logger: .silent)
        let consumer = try await broker.makeConsumer(
            ConsumerOptions(clientID: "test", groupID: "group", topics: ["t"])
        )
        try await wait(consumer) { $0 != nil }
        await consumer.close()
        await broker.close()
    }
}
