import CRdkafka
import Dispatch
import Synchronization

/// A client whose queue is also drained between calls, so that it doesn't grow.
final class WatchedClient: Sendable {
    let client: Client
    private let events: ClientEvents
    private let queue: DispatchQueue
    private let hasEnded = Mutex(false)

    init(_ client: Client, _ events: ClientEvents, _ queue: DispatchQueue) {
        self.client = client
        self.events = events
        self.queue = queue
    }

    func begin() {
        // Released when the client is destroyed; until then librdkafka may use it.
        let context = Unmanaged.passRetained(self)
        rd_kafka_queue_cb_event_enable(
            client.queue,
            { _, context in
                guard let context else { return }
                let watched = Unmanaged<WatchedClient>.fromOpaque(context).takeUnretainedValue()
                watched.queue.async { watched.report() }
            },
            context.toOpaque()
        )
    }

    /// Destroys the client, on the queue.
    func end() {
        hasEnded.withLock { $0 = true }
        rd_kafka_queue_cb_event_enable(client.queue, nil, nil)
        // No one reads log lines any more, and librdkafka would print them.
        rd_kafka_set_log_level(client.pointer, 0)
        rd_kafka_queue_destroy(client.queue)
        rd_kafka_destroy(client.pointer)
        Unmanaged.passUnretained(self).release()
    }

    /// Handles the client's events.
    private func report() {
        guard !hasEnded.withLock(\.self) else { return }
        while let event = rd_kafka_queue_poll(client.queue, 0) {
            _ = events.handle(event)
            rd_kafka_event_destroy(event)
        }
    }
}
