import Dionysus
import DionysusConformance
import DionysusTesting
import Testing

/// The in-memory log.
@Suite struct InMemoryBrokerTests {
    @Test(arguments: BrokerConformance.checks)
    func `The in-memory broker conforms`(_ check: BrokerConformance.Check) async throws {
        let broker = InMemoryBroker()
        let harness = BrokerHarness(
            makeBroker: { broker.client() },
            makeTopic: { partitions in
                let name = BrokerHarness.freshName()
                try await broker.createTopics([TopicSpecification(name: name, partitions: partitions)])
                return name
            }
        )
        try await check.run(on: harness)
    }

    @Test func `an unavailable broker refuses everything, and keeps its messages`() async throws {
        let broker = InMemoryBroker()
        let producer = try await broker.makeProducer(ProducerOptions(clientID: "test"))
        let consumer = try await broker.makeConsumer(
            ConsumerOptions(clientID: "test", groupID: "group", topics: ["topic"])
        )
        #expect(await producer.send([.of("one")]).first?.isSuccess == true)
        broker.isAway = true
        #expect(await producer.send([.of("two")]).first?.code == .brokerUnavailable)
        #expect(consumer.outage?.code == .brokerUnavailable)
        #expect(try await consumer.next(maxMessages: 1, timeout: .zero) == nil)
        await #expect(throws: DionysusError.self) { _ = try await broker.describeTopics(nil) }
        broker.isAway = false
        #expect(consumer.outage == nil)
        #expect(await producer.send([.of("three")]).first?.isSuccess == true)
        #expect(broker.messages(in: "topic").map(\.value) == [Array("one".utf8), Array("three".utf8)])
    }

    @Test func `messages are refused by number and by rule, and the others are sent`() async throws {
        let broker = InMemoryBroker()
        let producer = try await broker.makeProducer(ProducerOptions(clientID: "test"))
        broker.refuse(2)
        #expect(await producer.send([.of("a"), .of("b"), .of("c")]).map(\.isSuccess) == [false, false, true])
        broker.refuse { message in
            message.value == Array("d".utf8) ? DionysusError(.messageRejected, "not this one") : nil
        }
        #expect(await producer.send([.of("d"), .of("e")]).map(\.code) == [.messageRejected, nil])
        broker.acceptAll()
        #expect(await producer.send([.of("d")]).map(\.isSuccess) == [true])
        #expect(broker.messages(in: "topic").count == 3)
    }
}

extension OutgoingMessage {
    fileprivate static func of(_ value: String) -> OutgoingMessage {
        OutgoingMessage(topic: "topic", destination: .partition(0), key: nil, value: Array(value.utf8))
    }
}

extension Result<Acknowledgement, DionysusError> {
    fileprivate var isSuccess: Bool { if case .success = self { true } else { false } }
    fileprivate var code: DionysusError.Code? { if case .failure(let error) = self { error.code } else { nil } }
}
