import Dionysus
import TestSupport

/// A broker that notes what is asked of its consumers, and what happens to them.
struct WatchedBroker: BrokerWrapper {
    enum Note: Sendable, Hashable {
        case pause([TopicPartition])
        case resume([TopicPartition])
        case revoked([TopicPartition])
        case lost([TopicPartition])
    }

    /// What was noted, as it happens.
    let notes: AsyncStream<Note>
    let base: any MessageBroker
    private let continuation: AsyncStream<Note>.Continuation
    private let refusals: Countdown

    /// - Parameters:
    ///   - base: What it passes everything on to.
    ///   - refusals: How often it is away when somebody joins a group.
    init(_ base: any MessageBroker, refusals: Int = 0) {
        self.base = base
        self.refusals = Countdown(refusals)
        (notes, continuation) = AsyncStream.makeStream()
    }

    /// Ends the stream of notes.
    func finish() { continuation.finish() }

    func makeConsumer(_ options: ConsumerOptions) async throws -> any MessageConsumer {
        guard !refusals.next() else {
            throw DionysusError(.brokerUnavailable, "the broker is away", isRetriable: true)
        }
        return WatchedConsumer(
            base: try await base.makeConsumer(options),
            note: { [continuation] in continuation.yield($0) }
        )
    }
}

private struct WatchedConsumer: ConsumerWrapper {
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

    func pause(_ partitions: [TopicPartition]) async throws {
        try await base.pause(partitions)
        note(.pause(partitions))
    }

    func resume(_ partitions: [TopicPartition]) async throws {
        try await base.resume(partitions)
        note(.resume(partitions))
    }
}
