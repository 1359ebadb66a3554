import Dionysus
import Synchronization

/// Sends messages to an embedded log.
final class EmbeddedProducer: MessageProducer {
    private let id: UInt64
    private let options: ProducerOptions
    private let queue: AppendQueue
    private let watch: LogWatch
    private let isClosed = Mutex(false)

    init(id: UInt64, options: ProducerOptions, queue: AppendQueue, watch: LogWatch) {
        self.id = id
        self.options = options
        self.queue = queue
        self.watch = watch
    }

    func send(_ messages: [OutgoingMessage]) async -> [Result<Acknowledgement, DionysusError>] {
        guard !messages.isEmpty else { return [] }
        guard !isClosed.withLock({ $0 }) else {
            let error = DionysusError(.closed, "the producer \(options.clientID) has been closed")
            return Array(repeating: .failure(error), count: messages.count)
        }
        return await queue.append(
            AppendBatch(messages: messages, partitioner: options.partitioner),
            from: id,
            deadline: .now + options.messageTimeout
        )
    }

    func purge() { queue.purge(id) }

    func close(deadline: Duration) async {
        isClosed.withLock { $0 = true }
        let end = ContinuousClock.now + deadline
        while !Task.isCancelled {
            let version = watch.version
            guard queue.hasPending(id), .now < end else { break }
            await watch.wait(since: version, until: end)
        }
        queue.purge(id)
    }
}
