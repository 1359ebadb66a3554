import CRdkafka
import Dispatch
import Foundation
import Logging

/// The end of a consuming client: it leaves its group and is destroyed, if librdkafka can do that.
struct ConsumerEnding {
    /// The maximum wait for a client's destruction, in seconds; normally it takes milliseconds.
    private static let destructionLimit = 3.0

    private let client: Client
    private let isMember: Bool
    private let logger: Logger

    /// Whether the client has ever received an assignment from its group.
    var hasBeenAssigned = false

    /// - Parameter isMember: Whether the client reads as a member of a group.
    init(_ client: Client, isMember: Bool, logger: Logger) {
        self.client = client
        self.isMember = isMember
        self.logger = logger
    }

    /// Ends the client, which nothing may use any more.
    /// - Parameter queues: The queues of its partitions.
    func run(_ queues: PartitionQueues) {
        // No one reads log lines any more, and librdkafka would print them.
        rd_kafka_set_log_level(client.pointer, 0)
        rd_kafka_queue_cb_event_enable(client.queue, nil, nil)
        // librdkafka's queues must be released before the consumer is closed, which answers outstanding rebalances.
        queues.closeAll()
        rd_kafka_queue_destroy(client.queue)
        rd_kafka_consumer_close(client.pointer)
        if canBeDestroyed { destroy() }
    }

    /// Destroys the client on another thread, with a limited wait.
    ///
    /// A client whose topic was deleted can wait for itself forever (librdkafka issue 4362). It has left its group by
    /// then; its memory and threads leak until the process exits.
    private func destroy() {
        let isDestroyed = DispatchSemaphore(value: 0)
        let thread = Thread { [client] in
            rd_kafka_destroy(client.pointer)
            isDestroyed.signal()
        }
        thread.name = "dionysus-kafka-ending"
        thread.start()
        guard isDestroyed.wait(timeout: .now() + Self.destructionLimit) == .timedOut else { return }
        logger.warning("a Kafka consumer has left its group, but its client does not stop; the process continues")
    }

    /// Before version 2.3.0, librdkafka aborts the process if a cooperative member is destroyed that has joined its
    /// group but never received an assignment (librdkafka issue 4312).
    ///
    /// Such a member has left its group and is idle; its memory leaks until the process exits.
    private var canBeDestroyed: Bool { !isMember || hasBeenAssigned || rd_kafka_version() >= 0x0203_0000 }
}
