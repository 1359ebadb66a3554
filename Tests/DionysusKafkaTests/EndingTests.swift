import CRdkafka
import Dionysus
import Synchronization
import Testing

@testable import DionysusKafka

@Suite("Ending a Kafka client")
struct EndingTests {
    @Test func `closing a producer waits for messages in flight`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            _ = await producer.send([.numbered(0)])
            try fixture.cluster.setRoundTrip(.milliseconds(200), of: 1)
            async let results = producer.send((1..<100).map { .numbered($0) })
            // The second batch follows the first in the same client, so the first has started.
            await producer.close(deadline: .seconds(20))
            #expect(await results.allSatisfy { $0.code == nil || $0.code == .closed })
            #expect(await producer.send([.numbered(1)]).map(\.code) == [.closed])
        }
    }

    @Test func `after the deadline every waiting sender gets its results`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer(settings: ["queue.buffering.max.messages": "10"])
            _ = await producer.send([.numbered(0)])
            try fixture.cluster.stopBroker(1)
            async let results = producer.send((1..<100).map { .numbered($0) })
            await producer.close(deadline: .milliseconds(10))
            #expect(await results.allSatisfy { $0.code == .brokerUnavailable || $0.code == .closed })
        }
    }

    @Test func `a purge ends unsent batches`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer(
                timeout: .seconds(120),
                settings: ["linger.ms": "60000", "queue.buffering.max.messages": "10"]
            )
            let hasEnded = Atomic(false)
            // A purge may precede the batch, so it is repeated until the batch has ended.
            async let purging: Void = {
                while !hasEnded.load(ordering: .acquiring) {
                    producer.purge()
                    await Task.yield()
                }
            }()
            let results = await producer.send((0..<100).map { .numbered($0, partition: 0) })
            hasEnded.store(true, ordering: .releasing)
            await purging
            #expect(results.count == 100)
            #expect(results.allSatisfy { $0.code == .brokerUnavailable })
        }
    }

    @Test func `a client with a fatal error is replaced`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            #expect(await producer.send([.numbered(0)]).map(\.code) == [nil])
            let session = try (producer as? KafkaProducer)?.session()
            try fixture.cluster.stopBroker(1)
            async let failed = producer.send((0..<10).map { .numbered($0) })
            if let session {
                // A broker's answer can cause this error.
                let code = RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER
                rd_kafka_test_fatal_error(session.client.pointer, code, "provoked")
            }
            #expect(await failed.allSatisfy { $0.code == .brokerUnavailable || $0.code == nil })
            try fixture.cluster.startBroker(1)
            // The client may notice only on use.
            var results = await producer.send([.numbered(1)])
            if results.map(\.code) == [.brokerUnavailable] { results = await producer.send([.numbered(1)]) }
            #expect(results.map(\.code) == [nil], "\(results)")
        }
    }

    @Test func `closing a broker closes its clients, and closing twice is harmless`() async throws {
        try await Fixture.run { fixture in
            let producer = try await fixture.producer()
            let consumer = try await fixture.member().consumer
            await fixture.broker.close()
            await fixture.broker.close()
            #expect(await producer.send([.numbered(1)]).map(\.code) == [.closed])
            await #expect { _ = try await consumer.next(maxMessages: 1, timeout: .zero) } throws: {
                ($0 as? DionysusError)?.code == .closed
            }
            await #expect(throws: DionysusError.self) { _ = try await fixture.broker.describeTopics(nil) }
            await #expect(throws: DionysusError.self) { _ = try await fixture.producer() }
        }
    }
}
