import Dionysus
import DionysusEmbedded
import Testing

@Suite(.timeLimit(.minutes(10)))
struct PartitionTests {
    @Test
    func `Partitions that are added are written and read by those who have the log open already`() async throws {
        try await withLogPath { path in
            let broker = try EmbeddedBroker(path: path)
            try await broker.createTopics([TopicSpecification(name: "rentals", partitions: 2)])
            let producer = try await broker.makeProducer()
            for result in await producer.send(messages(0..<10, for: "rentals")) { _ = try result.get() }
            let consumer = try await broker.makeConsumer(of: "rentals")
            try await consumer.startAll(2)

            let another = try EmbeddedBroker(path: path)
            try await another.addPartitions(to: "rentals", upTo: 5)
            #expect(try await broker.describeTopics(["rentals"]).map(\.partitions) == [5])
            for result in await producer.send(messages(0..<10, for: "rentals", partition: 4)) { _ = try result.get() }
            let keyed = (0..<100)
                .map { number in
                    OutgoingMessage(
                        topic: "rentals",
                        destination: .partitioned(by: Array("\(number)".utf8)),
                        key: nil,
                        value: []
                    )
                }
            let partitions = try await producer.send(keyed).map { try $0.get().partition }
            #expect(Set(partitions) == [0, 1, 2, 3, 4])

            var found: [ConsumedMessage] = []
            while found.count < 120 {
                switch try await consumer.next(maxMessages: 200, timeout: .seconds(60)) {
                case .assigned(let partitions):
                    #expect(partitions.map(\.partition) == [2, 3, 4])
                    try await consumer.start(Dictionary(uniqueKeysWithValues: partitions.map { ($0, .earliest) }))
                case .messages(let batch): found += batch
                default: throw UnexpectedEvent()
                }
            }
            #expect(Set(found.map { "\($0.source) \($0.offset)" }).count == 120)
            await another.close()
            await broker.close()
        }
    }

    @Test
    func `Fewer partitions than there are change nothing, and a topic that doesn't exist gets none`() async throws {
        try await withLogPath { path in
            let broker = try EmbeddedBroker(path: path)
            try await broker.createTopics([TopicSpecification(name: "rentals", partitions: 3)])
            try await broker.addPartitions(to: "rentals", upTo: 2)
            #expect(try await broker.describeTopics(["rentals"]).map(\.partitions) == [3])
            await #expect { try await broker.addPartitions(to: "bookings", upTo: 2) } throws: { error in
                (error as? DionysusError)?.code == .unknownTopic
            }
            await broker.close()
        }
    }
}
