import Dionysus
import Foundation

/// A group member, or a reader of named partitions, implemented by a thread that owns the client.
final class KafkaConsumer: MessageConsumer {
    private let inbox = ConsumerInbox()
    private let ending = ThreadEnd()
    private let starts: StartOffsets
    private let onClose: @Sendable (KafkaConsumer) -> Void

    /// Starts the thread.
    /// - Parameters:
    ///   - client: A client, which is subscribed unless the options name partitions; the thread destroys it.
    ///   - events: The handler of its log lines and statistics.
    ///   - options: What is read, and how.
    ///   - starts: Finds the offsets of start positions.
    ///   - onClose: Called when the thread has ended.
    init(
        _ client: Client,
        events: ClientEvents,
        options: ConsumerOptions,
        starts: StartOffsets,
        onClose: @escaping @Sendable (KafkaConsumer) -> Void
    ) {
        self.starts = starts
        self.onClose = onClose
        let thread = Thread { [inbox, ending] in
            ConsumerSession(
                client,
                inbox: inbox,
                events: events,
                options: options
            )
            .run()
            ending.complete()
        }
        thread.name = "dionysus-kafka-consumer"
        thread.start()
    }

    // Otherwise the thread, and with it the client and the membership, would live as long as the process.
    deinit { _ = inbox.post(.close) }

    var outage: DionysusError? { inbox.outage.withLock { $0 } }

    func next(maxMessages: Int, maxBytes: Int, timeout: Duration) async throws -> ConsumerEvent? {
        let id = inbox.makeWaiterID()
        return try await withTaskCancellationHandler {
            try Task.checkCancellation()
            return try await withCheckedThrowingContinuation { continuation in
                let waiter = ConsumerInbox.Waiter(
                    id: id,
                    maxMessages: max(1, maxMessages),
                    maxBytes: max(1, maxBytes),
                    deadline: .now + timeout,
                    continuation: continuation
                )
                if !inbox.post(.next(waiter)) { continuation.resume(throwing: ConsumerSession.closedError) }
                // The handler below may have run before there was anything to cancel.
                if Task.isCancelled { _ = inbox.post(.cancelNext(id)) }
            }
        } onCancel: {
            _ = inbox.post(.cancelNext(id))
        }
    }

    func start(_ positions: [TopicPartition: StartPosition]) async throws {
        let offsets = try await starts.offsets(of: positions)
        try await perform { $0.start(offsets) }
    }

    func release(_ partitions: [TopicPartition]) async throws {
        try await perform { $0.release(partitions) }
    }

    func seek(_ partition: TopicPartition, to position: StartPosition) async throws {
        let offsets = try await starts.offsets(of: [partition: position])
        try await perform { $0.seek(offsets) }
    }

    func pause(_ partitions: [TopicPartition]) async throws {
        try await perform { $0.pause(partitions) }
    }

    func resume(_ partitions: [TopicPartition]) async throws {
        try await perform { $0.resume(partitions) }
    }

    func commit(_ offsets: [TopicPartition: Int64]) async throws {
        try await perform { $0.commit(offsets) }
    }

    func close() async {
        _ = inbox.post(.close)
        await ending.wait()
        onClose(self)
    }

    private func perform(_ body: @escaping @Sendable (ConsumerSession) throws -> Void) async throws {
        try await withCheckedThrowingContinuation { continuation in
            if !inbox.post(.perform(body, continuation)) { continuation.resume(throwing: ConsumerSession.closedError) }
        }
    }
}
