import CRdkafka
import Dionysus

/// Lets librdkafka fetch only as many partitions as fit in memory, in turns.
final class PartitionFetching {
    private let client: Client
    private let queues: PartitionQueues
    private var turns: FetchTurns

    /// - Parameter bytes: How much may be fetched ahead of all partitions; nil for no limit.
    init(_ client: Client, _ queues: PartitionQueues, bytes: Int?) {
        self.client = client
        self.queues = queues
        turns = FetchTurns(bytes: bytes)
    }

    /// When to look again, even if nothing comes.
    var deadline: ContinuousClock.Instant? { turns.deadline }

    /// Adds partitions that are about to be assigned.
    func add(_ partitions: [TopicPartition]) { turns.add(partitions) }

    /// Pauses those of the assigned partitions whose turn it isn't.
    func pauseWaiting() { pause(turns.waiting) }

    /// Removes partitions before they are unassigned, because a pause would outlast that.
    func remove(_ partitions: [TopicPartition]) {
        let waiting = Set(turns.waiting)
        resume(partitions.filter { waiting.contains($0) })
        turns.remove(partitions)
    }

    /// Stops fetching some partitions and fetches others, after messages have been taken.
    /// - Parameter haul: What has been taken.
    func limit(_ haul: inout PartitionQueues.Haul) {
        let change = turns.note(haul.sizes, held: queues.held, at: .now)
        pause(change.stopped)
        queues.drop(change.stopped, &haul)
        // A pause takes a partition back to the last message that was read, and so to before a seek.
        let positions = change.fetched.compactMap { partition in
            queues.position(of: partition).flatMap { $0 < 0 ? nil : (partition, $0) }
        }
        if !positions.isEmpty {
            PartitionList(positions).lend { _ = takeCode(rd_kafka_seek_partitions(client.pointer, $0, 0)) }
        }
        resume(change.fetched)
    }

    private func pause(_ partitions: [TopicPartition]) {
        guard !partitions.isEmpty else { return }
        PartitionList(partitions).lend { _ = rd_kafka_pause_partitions(client.pointer, $0) }
    }

    private func resume(_ partitions: [TopicPartition]) {
        guard !partitions.isEmpty else { return }
        PartitionList(partitions).lend { _ = rd_kafka_resume_partitions(client.pointer, $0) }
    }
}
