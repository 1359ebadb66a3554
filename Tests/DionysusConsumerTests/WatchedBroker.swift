import Dionysus
import Synchronization

/// A broker that notes what is asked of its consumers, and what happens to them.
struct WatchedBroker: MessageBroker {
    enum Note: Sendable, Hashable {
        case pause([TopicPartition])
        case resume([TopicPartition])
        case revoked([TopicPartition])
        case lost([TopicPartition])
    }

    /// What was noted, as it happens.
    let notes: AsyncStream<Note>
    private let base: any MessageBroker
    private let continuation: AsyncStream<Note>.Continuation
    private let refusals: CountDown

    /// - Parameters:
    ///   - base: What it passes everything on to.
    ///   - refusals: How often it is away when somebody joins a group.
    init(_ base: any MessageBroker, refusals: Int = 0) {
        self.base = base
        self.refusals = CountDown(refusals)
        (notes, continuation) = AsyncStream.makeStream()
    }

    var location: String { base.location }

    /// Ends the stream of notes.
    func finish() { continuation.finish() }

    func makeProducer(_ options: ProducerOptions) async throws -> any MessageProducer {
        try await base.makeProducer(options)
    }

    func makeConsumer(_ options: ConsumerOptions) async throws -> any MessageConsumer {
        guard refusals.isOver() else {
            throw DionysusError(.brokerUnavailable, "the broker is away", isRetriable: true)
        }
        return WatchedConsumer(
            base: try await base.makeConsumer(options),
            note: { [continuation] in continuation.yield($0) }
        )
    }

    func createTopics(_ topics: [TopicSpecification]) async throws { try await base.createTopics(topics) }

    func describeTopics(_ topics: [String]?) async throws -> [TopicDescription] {
        try await base.describeTopics(topics)
    }

    func offsets(of partitions: [TopicPartition]) async throws -> [TopicPartition: OffsetRange] {
        try await base.offsets(of: partitions)
    }

    func offsets(of partitions: [TopicPartition], at time: Timestamp) async throws -> [TopicPartition: Int64] {
        try await base.offsets(of: partitions, at: time)
    }

    func close() async { await base.close() }
}

private final class CountDown: Sendable {
    private let rest: Mutex<Int>

    init(_ count: Int) { rest = Mutex(count) }

    func isOver() -> Bool {
        rest.withLock { rest in
            rest -= 1
            return rest < 0
        }
    }
}

private struct WatchedConsumer: MessageConsumer {
    let base: any MessageConsumer
    let note: @Sendable (WatchedBroker.Note) -> Void

    func next(maxMessages: Int, timeout: Duration) async throws -> ConsumerEvent? {
        let event = try await base.next(maxMessages: maxMessages, timeout: timeout)
        switch event {
        case .revoked(let partitions): note(.revoked(partitions))
        case .lost(let partitions): note(.lost(partitions))
        default: break
        }
        return event
    }

    func start(_ positions: [TopicPartition: StartPosition]) async throws { try await base.start(positions) }

    func release(_ partitions: [TopicPartition]) async throws { try await base.release(partitions) }

    func seek(_ partition: TopicPartition, to position: StartPosition) async throws {
        try await base.seek(partition, to: position)
    }

    func pause(_ partitions: [TopicPartition]) async throws {
        try await base.pause(partitions)
        note(.pause(partitions))
    }

    func resume(_ partitions: [TopicPartition]) async throws {
        try await base.resume(partitions)
        note(.resume(partitions))
    }

    func commit(_ offsets: [TopicPartition: Int64]) async throws { try await base.commit(offsets) }

    func close() async { await base.close() }
}
