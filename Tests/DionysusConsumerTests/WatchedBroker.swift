import Dionysus
import TestSupport

/// A broker that notes what is asked of its consumers, and what happens to them.
struct WatchedBroker: BrokerWrapper {
    enum Note: Sendable, Hashable {
        case pause([TopicPartition])
        case resume([TopicPartition])
        case revoked([TopicPartition])
        case released([TopicPartition])
        case lost([TopicPartition])
    }

    /// What was noted, as it happens.
    let notes: AsyncStream<Note>
    let base: any MessageBroker
    private let continuation: AsyncStream<Note>.Continuation
    private let refusals: Countdown
    private let refusedReleases: Countdown

    /// - Parameters:
    ///   - base: What it passes everything on to.
    ///   - refusals: How often it is away when somebody joins a group.
    ///   - refusedReleases: How often it is away when a member gives partitions back.
    init(_ base: any MessageBroker, refusals: Int = 0, refusedReleases: Int = 0) {
        self.base = base
        self.refusedReleases = Countdown(refusedReleases)
        self.refusals = Countdown(refusals)
        (notes, continuation) = AsyncStream.makeStream()
    }

    /// Ends the stream of notes.
    func finish() { continuation.finish() }

    func makeConsumer(_ options: ConsumerOptions) async throws -> any MessageConsumer {
        guard !refusals.next() else {
            throw WatchedConsumer.away
        }
        return WatchedConsumer(
            base: try await base.makeConsumer(options),
            refusedReleases: refusedReleases,
            note: { [continuation] in continuation.yield($0) }
        )
    }
}

private struct WatchedConsumer: ConsumerWrapper {
    static var away: DionysusError {
        DionysusError(.brokerUnavailable, "the broker is away", isRetriable: true)
    }

    let base: any MessageConsumer
    let refusedReleases: Countdown
    let note: @Sendable (WatchedBroker.Note) -> Void

    func next(maxMessages: Int, maxBytes: Int, timeout: Duration) async throws -> ConsumerEvent? {
        let event = try await base.next(maxMessages: maxMessages, maxBytes: maxBytes, timeout: timeout)
        switch event {
        case .revoked(let partitions): note(.revoked(partitions))
        case .lost(let partitions): note(.lost(partitions))
        default: break
        }
        return event
    }

    func release(_ partitions: [TopicPartition]) async throws {
        guard !refusedReleases.next() else { throw Self.away }
        try await base.release(partitions)
        note(.released(partitions))
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
