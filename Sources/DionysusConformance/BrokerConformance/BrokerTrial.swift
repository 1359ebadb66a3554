import Dionysus

/// A broker under test, with operations for the checks.
struct BrokerTrial: Sendable {
    let harness: BrokerHarness
    let broker: any MessageBroker

    func makeTopic(partitions: Int32 = 1) async throws -> String { try await harness.makeTopic(partitions) }

    func makeProducer(_ partitioner: Partitioner = .crc32) async throws -> any MessageProducer {
        try await broker.makeProducer(
            ProducerOptions(
                clientID: "conformance",
                partitioner: partitioner,
                settings: harness.producerSettings
            )
        )
    }

    /// Joins a group; without a name, a new one.
    func makeReader(
        of topics: [String],
        patterns: [String] = [],
        group: String? = nil,
        at position: StartPosition = .earliest
    ) async throws -> TrialReader {
        let consumer = try await broker.makeConsumer(
            ConsumerOptions(
                clientID: "conformance",
                groupID: group ?? BrokerHarness.freshName("group"),
                topics: topics,
                topicPatterns: patterns,
                settings: harness.consumerSettings
            )
        )
        return TrialReader(consumer: consumer, position: position, patience: harness.patience)
    }

    /// Reads partitions without joining a group.
    func makeReader(of partitions: [TopicPartition], at position: StartPosition = .earliest) async throws -> TrialReader
    {
        let consumer = try await broker.makeConsumer(
            ConsumerOptions(
                clientID: "conformance",
                partitions: partitions,
                settings: harness.consumerSettings
            )
        )
        return TrialReader(consumer: consumer, position: position, patience: harness.patience)
    }

    /// Sends messages that all must be acknowledged.
    @discardableResult
    func send(_ messages: [OutgoingMessage], with producer: any MessageProducer) async throws -> [Acknowledgement] {
        let results = await producer.send(messages)
        try expect(results.count == messages.count, "\(messages.count) results", "there were \(results.count)")
        return try results.map { try $0.get() }
    }

    /// Sends numbered messages to one partition.
    @discardableResult
    func send(_ range: Range<Int>, to partition: TopicPartition) async throws -> [Acknowledgement] {
        let producer = try await makeProducer()
        let messages = range.map { OutgoingMessage(numbered: $0, to: partition) }
        let acknowledgements = try await send(messages, with: producer)
        await producer.close(deadline: harness.patience)
        return acknowledgements
    }
}

extension OutgoingMessage {
    init(numbered number: Int, to partition: TopicPartition) {
        self.init(
            topic: partition.topic,
            destination: .partition(partition.partition),
            key: Array("key-\(number)".utf8),
            value: Array("\(number)".utf8)
        )
    }
}

extension ConsumedMessage {
    /// The number in a numbered message.
    var number: Int? { value.flatMap { Int(String(decoding: $0, as: UTF8.self)) } }
}

func expect(_ condition: Bool, _ expected: String, _ actual: @autoclosure () -> String) throws {
    guard condition else { throw ConformanceFailure(expected: expected, actual: actual()) }
}

func expectEqual<T: Equatable>(_ actual: T, _ expected: T, _ subject: String) throws {
    guard actual == expected else {
        throw ConformanceFailure(expected: "\(subject) to be \(expected)", actual: "it was \(actual)")
    }
}

func expectFailure(
    _ result: Result<Acknowledgement, DionysusError>,
    code: DionysusError.Code,
    _ subject: String
) throws {
    switch result {
    case .success(let acknowledgement):
        throw ConformanceFailure(
            expected: "\(subject) to be refused with \(code)",
            actual: "it was acknowledged at offset \(acknowledgement.offset)"
        )
    case .failure(let error):
        guard error.code == code else {
            throw ConformanceFailure(
                expected: "\(subject) to be refused with \(code)",
                actual: "it was refused with \(error.code): \(error)"
            )
        }
    }
}
