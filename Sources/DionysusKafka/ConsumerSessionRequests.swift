import CRdkafka
import Dionysus
import Logging

/// What the user asks for.
extension ConsumerSession {
    func start(_ offsets: [TopicPartition: Int64]) {
        let started = Set(membership.start(offsets.keys))
        guard !started.isEmpty else { return }
        // A pause ends with the ownership for which it was requested.
        queues.letGo(Array(started))
        note(assignment.add(offsets.filter { started.contains($0.key) }.map { ($0.key, $0.value) }))
    }

    func release(_ partitions: [TopicPartition]) {
        if let partitions = membership.release(partitions) { note(assignment.remove(partitions)) }
    }

    func seek(_ offsets: [TopicPartition: Int64]) {
        for (partition, offset) in offsets where membership.isActive(partition) {
            note(assignment.move(partition, to: offset))
        }
    }

    /// librdkafka's own pause would discard prefetched messages, and fetch nothing for up to a second after it ends.
    func pause(_ partitions: [TopicPartition]) { queues.hold(partitions.filter { membership.isOwned($0) }) }

    func resume(_ partitions: [TopicPartition]) { queues.letGo(partitions.filter { membership.isOwned($0) }) }

    func commit(_ offsets: [TopicPartition: Int64]) {
        guard isMember else { return }
        let owned = offsets.filter { membership.isOwned($0.key) }.map { ($0.key, $0.value) }
        guard !owned.isEmpty else { return }
        // Named here, the queue also gets successes, and librdkafka warns of no failure itself.
        let code = PartitionList(owned, metadata: metadata)
            .lend { rd_kafka_commit_queue(client.pointer, $0, client.queue, nil, nil) }
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { events.logger.debug("Kafka did not accept offsets: \(code.text)") }
    }
}
