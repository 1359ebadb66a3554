import Dionysus

/// Stands for a broker where none can be reached: what needs one says so.
struct UnreachableBroker: MessageBroker {
    private var error: DionysusError {
        DionysusError(
            .brokerUnavailable,
            "this console has no broker",
            advice: "start the console where the broker can be reached"
        )
    }

    var location: String { "nowhere" }

    func makeProducer(_ options: ProducerOptions) async throws -> any MessageProducer { throw error }
    func makeConsumer(_ options: ConsumerOptions) async throws -> any MessageConsumer { throw error }
    func createTopics(_ topics: [TopicSpecification]) async throws { throw error }
    func describeTopics(_ topics: [String]?) async throws -> [TopicDescription] { throw error }
    func configurations(of topics: [String]) async throws -> [String: TopicConfiguration] { throw error }
    func offsets(of partitions: [TopicPartition]) async throws -> [TopicPartition: OffsetRange] { throw error }
    func offsets(of partitions: [TopicPartition], at time: Timestamp) async throws -> [TopicPartition: Int64] {
        throw error
    }
    func close() async {}
}
