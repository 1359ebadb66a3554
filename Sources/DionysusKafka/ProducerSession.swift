import CRdkafka
import Dionysus
import Foundation
import Logging
import Synchronization

/// A producing client, from its creation to its destruction.
///
/// Its own thread takes the delivery reports, many at a time, from the client's queue, where it sleeps until
/// librdkafka wakes it. That thread also ends the client, once no call and no batch uses it.
final class ProducerSession: Sendable {
    let client: Client
    let events: ClientEvents
    private let partitioner: Partitioner
    let table = Mutex(DeliveryTable())
    /// Counts purges, so that a batch that is still being enqueued notices one.
    private let purges = Atomic<Int>(0)
    private let topics = Mutex<[String: TopicHandle]>([:])
    private let ending = ThreadEnd()

    /// `@unchecked Sendable`: librdkafka's functions on topics may be called from any thread; the session's thread
    /// destroys them before the client.
    private struct TopicHandle: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    /// Whether new batches are accepted.
    var isOpen: Bool { table.withLock { $0.isOpen } }
    /// The client's problem with the brokers, if any.
    var outage: DionysusError? { events.connectivity.outage }
    /// Whether the client has been destroyed.
    var hasEnded: Bool { ending.hasCome }

    /// Creates a client and starts its thread.
    /// - Throws: ``DionysusError`` with code `configuration` for invalid or contradictory settings.
    init(settings: ClientSettings, partitioner: Partitioner, events: ClientEvents) throws {
        client = try Client(RD_KAFKA_PRODUCER, settings: settings, events: RD_KAFKA_EVENT_DR, logger: events.logger)
        self.events = events
        self.partitioner = partitioner
        let thread = Thread { [self] in run() }
        thread.name = "dionysus-kafka-producer"
        thread.start()
    }

    // MARK: Sending

    /// Sends a batch.
    /// - Returns: A result per message, or nil if the session no longer accepts batches.
    func send(_ messages: [OutgoingMessage]) async -> DeliveryTable.Results? {
        guard let batch = table.withLock({ $0.begin(messages) }) else { return nil }
        await enqueue(messages, as: batch)
        leave()
        return await withCheckedContinuation { continuation in
            table.withLock { $0.wait(continuation, for: batch) }?.resume()
        }
    }

    /// Passes messages to librdkafka, which copies them, and waits whenever its queue is full.
    private func enqueue(_ messages: [OutgoingMessage], as batch: UInt32) async {
        let purgesBefore = purges.load(ordering: .acquiring)
        var topic: (name: String, handle: OpaquePointer)?
        var next = 0
        while next < messages.count {
            let seen = table.withLock { $0.roomings }
            next = enqueue(messages, from: next, as: batch, purgesBefore, &topic)
            if next < messages.count {
                await withCheckedContinuation { continuation in
                    if !table.withLock({ $0.waitForRoom(continuation, since: seen) }) { continuation.resume() }
                }
            }
        }
        // A purge between the last check and the last message must also affect that message.
        if purges.load(ordering: .acquiring) != purgesBefore { drop(RD_KAFKA_PURGE_F_QUEUE) }
    }

    /// Enqueues as many messages as fit.
    /// - Returns: The index of the first message that did not fit.
    private func enqueue(
        _ messages: [OutgoingMessage],
        from start: Int,
        as batch: UInt32,
        _ purgesBefore: Int,
        _ lastTopic: inout (name: String, handle: OpaquePointer)?
    ) -> Int {
        for index in start..<messages.count {
            let message = messages[index]
            let tag = DeliveryTable.Tag(batch: batch, index: index)
            var code = RD_KAFKA_RESP_ERR__PURGE_QUEUE
            if purges.load(ordering: .acquiring) == purgesBefore {
                if lastTopic?.name != message.topic {
                    lastTopic = topic(message.topic).map { (message.topic, $0) }
                }
                if let topic = lastTopic {
                    code = client.enqueue(message, to: topic.handle, opaque: tag.opaque)
                } else {
                    code = RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION
                }
            }
            switch code {
            case RD_KAFKA_RESP_ERR_NO_ERROR:
                continue
            case RD_KAFKA_RESP_ERR__QUEUE_FULL:
                return index
            default:
                if client.fatalError != nil { drain(until: .now) }
                // Messages that could not be enqueued get no delivery report.
                let failure = DionysusError.undelivered(code, topic: message.topic)
                table.withLock { $0.settle(tag, .failure(failure)) }?.resume()
            }
        }
        return messages.count
    }

    /// The handle of a topic, created on first use.
    private func topic(_ name: String) -> OpaquePointer? {
        topics.withLock { topics in
            if let topic = topics[name] { return topic.pointer }
            let configuration = rd_kafka_default_topic_conf_dup(client.pointer)
            // The session outlives its topics, because its thread destroys them.
            rd_kafka_topic_conf_set_opaque(configuration, Unmanaged.passUnretained(self).toOpaque())
            rd_kafka_topic_conf_set_partitioner_cb(configuration) { _, _, _, count, session, opaque in
                guard let session else { return RD_KAFKA_PARTITION_UA }
                return Unmanaged<ProducerSession>.fromOpaque(session).takeUnretainedValue()
                    .partition(of: DeliveryTable.Tag(opaque), partitions: count)
            }
            guard let pointer = rd_kafka_topic_new(client.pointer, name, configuration) else {
                return nil
            }
            topics[name] = TopicHandle(pointer: pointer)
            return pointer
        }
    }

    /// librdkafka calls this with the current number of partitions, so added ones count.
    private func partition(of tag: DeliveryTable.Tag, partitions: Int32) -> Int32 {
        switch table.withLock({ $0.destination(of: tag) }) {
        case .partitioned(let key): partitioner.partition(of: key, partitions: partitions)
        case .partition(let number): number
        case nil: RD_KAFKA_PARTITION_UA
        }
    }

    // MARK: Ending

    /// Drops messages that have not been sent.
    func purge() {
        guard table.withLock({ $0.enter() }) else { return }
        purges.add(1, ordering: .acquiringAndReleasing)
        drop(RD_KAFKA_PURGE_F_QUEUE)
        table.withLock { $0.makeRoom() }.forEach { $0.resume() }
        leave()
    }

    /// Takes no new batches, waits for those in flight until the deadline, and ends.
    func close(deadline: Duration) async {
        drain(until: .now + deadline)
        await ending.wait()
    }

    func drain(until deadline: ContinuousClock.Instant) {
        table.withLock { table in
            table.drain(until: deadline)
            wakeThread()
        }
    }

    private func leave() {
        table.withLock { table in
            table.leave()
            if !table.isOpen { wakeThread() }
        }
    }

    /// Call it with the table locked: the thread checks the table before it destroys the queue.
    private func wakeThread() {
        if !ending.hasBegun { rd_kafka_queue_yield(client.queue) }
    }

    private func drop(_ what: Int32) {
        rd_kafka_purge(client.pointer, what | RD_KAFKA_PURGE_F_NON_BLOCKING)
    }

    // MARK: The thread

    private func run() {
        loop: while true {
            let step = table.withLock { table in
                let step = table.step(at: .now)
                if case .end = step { ending.begin() }
                return step
            }
            switch step {
            case .wait(let duration):
                if let event = rd_kafka_queue_poll(client.queue, patience(duration)) { handle(event) }
                lookForBrokersIfDue()
            case .purge:
                purges.add(1, ordering: .acquiringAndReleasing)
                drop(RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
                table.withLock { $0.makeRoom() }.forEach { $0.resume() }
            case .end:
                break loop
            }
        }
        topics.withLock { topics in
            topics.values.forEach { rd_kafka_topic_destroy($0.pointer) }
            topics = [:]
        }
        // No one reads log lines any more, and librdkafka would print them.
        rd_kafka_set_log_level(client.pointer, 0)
        rd_kafka_queue_destroy(client.queue)
        rd_kafka_destroy(client.pointer)
        ending.complete()
    }

    /// The maximum sleep of the thread in milliseconds; -1 until it is woken.
    private func patience(_ duration: Duration?) -> Int32 {
        let look = events.connectivity.nextLook.map { max(.zero, $0 - .now) }
        return [duration, look].compactMap(\.self).min()?.milliseconds ?? -1
    }

    private func lookForBrokersIfDue() {
        guard events.lookForBrokersIfDue(client) else { return }
        let outage = events.connectivity.outage
        table.withLock { $0.outage = outage }
        // Nothing is sent until the cause is corrected, so no one has to wait for the time to be over.
        if outage?.code == .accessDenied, !events.connectivity.isRefusedByNamed { drop(RD_KAFKA_PURGE_F_QUEUE) }
    }
}
