import CRdkafka
import Dionysus
import Logging

/// One consuming client, from its first poll to its end, on its own thread.
///
/// Messages are kept apart from everything else that librdkafka reports: they stay in their partition's queue until
/// the user asks for messages, so that librdkafka itself stops fetching a partition whose queue is full
/// (`queued.max.messages.kbytes`), and drops what a seek or a revocation has made stale. Everything else is read at once,
/// so that the member stays alive however slow its user is. The queue of a paused partition is left unread.
final class ConsumerSession {
    static let closedError = DionysusError(.closed, "the Kafka consumer has been closed")

    let client: Client
    private let inbox: ConsumerInbox
    let events: ClientEvents
    let queues: PartitionQueues
    private let fetching: PartitionFetching
    let assignment: Assignment
    let metadata: String?
    /// Whether it reads as a member of a group; otherwise the partitions were named.
    let isMember: Bool
    private let pollInterval: Duration

    var membership = Membership()
    private var failure: DionysusError?
    private var waiters: [ConsumerInbox.Waiter] = []
    private var isClosing = false
    private var standing = GroupStanding()
    private var ending: ConsumerEnding

    /// Takes ownership of a client.
    /// - Parameters:
    ///   - inbox: What its user asks for.
    ///   - events: Where its log lines and statistics go.
    ///   - options: What is read, and how.
    init(_ client: Client, inbox: ConsumerInbox, events: ClientEvents, options: ConsumerOptions) {
        self.client = client
        metadata = options.metadata
        isMember = options.partitions.isEmpty
        self.inbox = inbox
        self.events = events
        // The inbox, and so everything that librdkafka's callbacks use, outlives the client, because this session
        // destroys it.
        queues = PartitionQueues(client, wakeup: inbox.wakeup)
        fetching = PartitionFetching(client, queues, bytes: options.maxBufferedBytes)
        assignment = Assignment(client, queues, fetching, logger: events.logger)
        ending = ConsumerEnding(client, isMember: isMember, logger: events.logger)
        // librdkafka treats polling any queue as a sign of life of the application.
        pollInterval = .milliseconds(max(1, (client.number("max.poll.interval.ms") ?? 300_000) / 4))
        inbox.wakeup.signal(onArrivalIn: client.queue)
        if !isMember { membership.assign(options.partitions) }
    }

    // MARK: The thread

    /// Serves librdkafka and the inbox until the consumer is closed, then destroys the client.
    func run() {
        while !isClosing {
            while let event = rd_kafka_queue_poll(client.queue, 0) {
                handle(event)
                rd_kafka_event_destroy(event)
            }
            inbox.take().forEach(handle)
            look()
            serveWaiters()
            guard !isClosing else { break }
            inbox.wakeup.wait(atMost: timeToSleep())
        }
        end()
    }

    private func timeToSleep() -> Duration {
        let now = ContinuousClock.now
        let looks = [events.connectivity.nextLook, standing.nextLook, waiters.isEmpty ? nil : fetching.deadline]
        let deadlines = waiters.map(\.deadline) + looks.compactMap(\.self)
        return deadlines.reduce(pollInterval) { min($0, max(.zero, $1 - now)) }
    }

    /// Checks what is in doubt, and updates the problem that prevents the member from reading.
    private func look() {
        let hasLooked = events.lookForBrokersIfDue(client)
        if standing.isLookDue(at: .now) { standing.looked(client.existingTopics(), at: .now) }
        let outage = events.connectivity.outage ?? standing.problem
        guard hasLooked || outage?.message != inbox.outage.withLock({ $0?.message }) else { return }
        inbox.outage.withLock { $0 = outage }
    }

    private func handle(_ request: ConsumerInbox.Request) {
        switch request {
        case .next(let waiter):
            waiters.append(waiter)
        case .cancelNext(let id):
            guard let index = waiters.firstIndex(where: { $0.id == id }) else { return }
            waiters.remove(at: index).continuation.resume(throwing: CancellationError())
        case .perform(let body, let continuation):
            continuation.resume(with: Result { try body(self) })
        case .close:
            isClosing = true
        }
    }

    /// Delivers pending events to the waiters, in order.
    private func serveWaiters() {
        while let waiter = waiters.first {
            if let failure {
                self.failure = nil
                waiter.continuation.resume(throwing: failure)
            } else if let event = nextEvent(waiter.maxMessages, maxBytes: waiter.maxBytes) {
                waiter.continuation.resume(returning: event)
            } else {
                break
            }
            waiters.removeFirst()
        }
        let now = ContinuousClock.now
        for waiter in waiters where waiter.deadline <= now { waiter.continuation.resume(returning: nil) }
        waiters.removeAll { $0.deadline <= now }
    }

    private func nextEvent(_ maxMessages: Int, maxBytes: Int) -> ConsumerEvent? {
        if let event = membership.takeEvent() { return event }
        var haul = queues.take(maxMessages, maxBytes: maxBytes)
        fetching.limit(&haul)
        haul.faults.forEach { handle($0) }
        if !haul.messages.isEmpty { return .messages(haul.messages) }
        let ends = queues.takeEnds()
        return ends.isEmpty ? membership.takeEvent() : .reached(ends)
    }

    private func end() {
        let unseen = inbox.shut()
        for waiter in waiters { waiter.continuation.resume(throwing: Self.closedError) }
        for request in unseen {
            switch request {
            case .next(let waiter): waiter.continuation.resume(throwing: Self.closedError)
            case .perform(_, let continuation): continuation.resume(throwing: Self.closedError)
            case .cancelNext, .close: continue
            }
        }
        // The member can't leave the group while the group waits for its answer.
        if let partitions = membership.owedRelease {
            note(assignment.remove(partitions))
        } else if membership.owesStart {
            note(assignment.add([]))
        }
        ending.run(queues)
    }

    // MARK: What librdkafka reports

    private func handle(_ event: OpaquePointer) {
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_REBALANCE:
            let partitions = rd_kafka_event_topic_partition_list(event).map { PartitionList.elements(of: $0) } ?? []
            rebalance(rd_kafka_event_error(event), partitions.map(\.partition))
        case RD_KAFKA_EVENT_OFFSET_COMMIT:
            noteCommit(event)
        case RD_KAFKA_EVENT_FETCH:
            bringBack(event)
        case RD_KAFKA_EVENT_ERROR:
            let code = rd_kafka_event_error(event)
            guard code != RD_KAFKA_RESP_ERR__PARTITION_EOF else { return bringBackEnd(event) }
            _ = events.handle(event)
            handle(code, rd_kafka_event_error_string(event).map { String(cString: $0) } ?? "")
        default:
            _ = events.handle(event)
        }
    }

    /// Logs whether the group's coordinator accepts offsets, on which nothing depends.
    private func noteCommit(_ event: OpaquePointer) {
        let partitions = rd_kafka_event_topic_partition_list(event).map { PartitionList.elements(of: $0) } ?? []
        let codes = [rd_kafka_event_error(event)] + partitions.map(\.error)
        let code = codes.first { $0 != RD_KAFKA_RESP_ERR_NO_ERROR && $0 != RD_KAFKA_RESP_ERR__NO_OFFSET }
        switch code {
        case nil:
            events.commits.succeeded()
        case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
            RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
            // Another member may already own the partitions.
            events.logger.debug("Kafka did not accept the group's offsets: \(code?.text ?? "")")
        case let code?:
            events.commits.failed("\(code.text) (\(code.name))")
        }
    }

    /// Routes a message that arrived among the other events, and all later ones, through its partition's queue.
    ///
    /// librdkafka delivers messages there after it has recreated a partition's state. Seeking to the first such message
    /// makes the others stale.
    private func bringBack(_ event: OpaquePointer) {
        guard let message = rd_kafka_event_message_next(event), let topic = message.pointee.rkt else { return }
        let partition = TopicPartition(String(cString: rd_kafka_topic_name(topic)), message.pointee.partition)
        guard membership.isActive(partition) else { return }
        queues.open(partition, at: message.pointee.offset)
        if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
            note(assignment.move(partition, to: message.pointee.offset))
        } else {
            handle(PartitionQueues.Fault(message.pointee, partition))
        }
    }

    /// Does the same for the end of a partition, which doesn't account for messages still in its queue: seeking there
    /// raises the event again.
    private func bringBackEnd(_ event: OpaquePointer) {
        guard let place = rd_kafka_event_topic_partition(event) else { return }
        defer { rd_kafka_topic_partition_destroy(place) }
        let partition = TopicPartition(String(cString: place.pointee.topic), place.pointee.partition)
        guard membership.isActive(partition), let position = queues.position(of: partition) else { return }
        queues.open(partition, at: position)
        note(assignment.move(partition, to: position))
    }

    private func rebalance(_ code: rd_kafka_resp_err_t, _ partitions: [TopicPartition]) {
        switch code {
        case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
            ending.hasBeenAssigned = true
            standing.joined(partitions.map(\.topic))
            events.connectivity.served()
            if partitions.isEmpty { note(assignment.add([])) } else { membership.assign(partitions) }
        case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS where rd_kafka_assignment_lost(client.pointer) != 0:
            note(assignment.remove(membership.lose(partitions)))
        case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
            if let partitions = membership.revoke(partitions) { note(assignment.remove(partitions)) }
        default:
            note(assignment.remove(membership.lose(partitions)))
        }
    }

    private func handle(_ code: rd_kafka_resp_err_t, _ text: String) {
        switch code {
        case RD_KAFKA_RESP_ERR__FATAL:
            failure = client.fatalError
        case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
            standing.strategiesDiffer()
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
            standing.lacks(text, at: .now)
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED where isMember:
            failure = .denied(.accessDenied, "Read", on: "the consumer group", text)
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            failure = .denied(.accessDenied, "Read", on: "the topics that are consumed", text)
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
            failure = .denied(.accessDenied, "Describe", on: "the cluster", text)
        default:
            events.logger.debug("Kafka consumer: \(text)")
        }
    }

    private func handle(_ fault: PartitionQueues.Fault) {
        guard fault.code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET else {
            return handle(fault.code, "\(fault.partition): \(fault.code.text)")
        }
        let partition = fault.partition
        guard membership.isActive(partition) else { return }
        if let range = client.offsetRange(of: partition) {
            membership.report(.outOfRange(partition, range))
        } else if fault.offset >= 0 {
            // The broker has become unavailable: seeking to the same position raises this again when it is back.
            note(assignment.restart(partition, at: fault.offset))
        }
    }

    func note(_ error: DionysusError?) {
        if let error { failure = error }
    }
}
