import Dionysus
import Synchronization

/// Messages that are sent in the background, in their order.
final class BackgroundMessages: Sendable {
    private struct State {
        var waiting: [OutgoingMessage] = []
        var byteCount = 0
        /// Whether a task sends what waits.
        var isSending = false
        var isClosed = false
        /// Those who wait until nothing is left.
        var whenEmpty: [CheckedContinuation<Void, Never>] = []
    }

    /// How many messages, and how many bytes of them, may wait.
    private static let maximumCount = 10_000
    private static let maximumBytes = 64 << 20
    /// How many are sent at once.
    private static let batchSize = 500

    private let state = Mutex(State())
    private let producer: any MessageProducer
    private let onFailure: @Sendable (DionysusError, OutgoingMessage) -> Void

    init(
        _ producer: any MessageProducer,
        onFailure: @escaping @Sendable (DionysusError, OutgoingMessage) -> Void
    ) {
        self.producer = producer
        self.onFailure = onFailure
    }

    /// Adds messages to those that wait.
    /// - Throws: ``DionysusError``: `conflict`, retriable, if too many wait already; `closed` after ``close()``.
    func add(_ messages: [OutgoingMessage]) throws {
        guard let topic = messages.first?.topic else { return }
        let isIdle = try state.withLock { state in
            guard !state.isClosed else { throw DionysusError(.closed, "the publisher of topic \(topic) is closed") }
            let bytes = messages.reduce(0) { $0 + $1.byteCount }
            let isFull =
                !state.waiting.isEmpty
                && (state.waiting.count + messages.count > Self.maximumCount
                    || state.byteCount + bytes > Self.maximumBytes)
            guard !isFull else {
                throw DionysusError(
                    .conflict,
                    "\(state.waiting.count) messages wait to be sent to topic \(topic) in the background, as many as may",
                    advice: "publish directly, which waits for the broker, or through the outbox",
                    isRetriable: true
                )
            }
            state.waiting += messages
            state.byteCount += bytes
            defer { state.isSending = true }
            return !state.isSending
        }
        if isIdle { Task { await send() } }
    }

    /// Takes no more messages, and waits until the others have been sent or have failed.
    func close() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                state.isClosed = true
                guard state.isSending else { return true }
                state.whenEmpty.append(continuation)
                return false
            }
            if isIdle { continuation.resume() }
        }
    }

    private func send() async {
        while let batch = next() {
            for (message, result) in zip(batch, await producer.send(batch)) {
                if let error = result.failure { onFailure(error, message) }
            }
        }
    }

    private func next() -> [OutgoingMessage]? {
        let (batch, waiters) = state.withLock { state in
            let batch = Array(state.waiting.prefix(Self.batchSize))
            state.waiting.removeFirst(batch.count)
            state.byteCount -= batch.reduce(0) { $0 + $1.byteCount }
            guard batch.isEmpty else { return (batch, [] as [CheckedContinuation<Void, Never>]) }
            state.isSending = false
            defer { state.whenEmpty = [] }
            return (batch, state.whenEmpty)
        }
        for waiter in waiters { waiter.resume() }
        return batch.isEmpty ? nil : batch
    }
}

extension OutgoingMessage {
    fileprivate var byteCount: Int {
        (key?.count ?? 0) + (value?.count ?? 0) + headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.count }
    }
}
