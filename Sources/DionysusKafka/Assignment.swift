import CRdkafka
import Dionysus
import Logging

/// The partitions that a client reads, as librdkafka has to be told.
///
/// With each change it returns the error after which the client can't continue, if there is one.
struct Assignment {
    private let client: Client
    private let queues: PartitionQueues
    private let fetching: PartitionFetching
    private let logger: Logger

    init(_ client: Client, _ queues: PartitionQueues, _ fetching: PartitionFetching, logger: Logger) {
        self.client = client
        self.queues = queues
        self.fetching = fetching
        self.logger = logger
    }

    private var isCooperative: Bool {
        rd_kafka_rebalance_protocol(client.pointer).map { String(cString: $0) } == "COOPERATIVE"
    }

    /// Begins to read partitions, or answers an assignment of none.
    func add(_ offsets: [(TopicPartition, Int64)]) -> DionysusError? {
        for (partition, offset) in offsets { queues.open(partition, at: offset) }
        fetching.add(offsets.map(\.0))
        // Without the cooperative protocol, an assignment is always complete.
        let isCooperative = isCooperative
        let list = PartitionList(isCooperative ? offsets : queues.positions)
        let code = list.lend { list in
            isCooperative
                ? takeCode(rd_kafka_incremental_assign(client.pointer, list)) : rd_kafka_assign(client.pointer, list)
        }
        let error = fatalError(code, "take partitions")
        fetching.pauseWaiting()
        return error
    }

    /// Stops reading partitions and gives them back, or answers a revocation of none.
    func remove(_ partitions: [TopicPartition]) -> DionysusError? {
        fetching.remove(partitions)
        let list = PartitionList(partitions)
        let code = list.lend { list in
            isCooperative
                ? takeCode(rd_kafka_incremental_unassign(client.pointer, list)) : rd_kafka_assign(client.pointer, nil)
        }
        let error = fatalError(code, "give partitions back")
        partitions.forEach { queues.close($0) }
        return error
    }

    /// Continues a partition at another offset.
    func move(_ partition: TopicPartition, to offset: Int64) -> DionysusError? {
        queues.move(partition, to: offset)
        let list = PartitionList([(partition, offset)])
        let code = list.lend { takeCode(rd_kafka_seek_partitions(client.pointer, $0, 5000)) }
        let isDone =
            code == RD_KAFKA_RESP_ERR_NO_ERROR
            && list.elements.allSatisfy { $0.error == RD_KAFKA_RESP_ERR_NO_ERROR }
        // A partition that is not being fetched, because it has just started or is stopped, can't seek.
        return isDone ? nil : restart(partition, at: offset)
    }

    /// Reads a partition anew.
    func restart(_ partition: TopicPartition, at offset: Int64) -> DionysusError? {
        fetching.remove([partition])
        var error: DionysusError?
        if isCooperative {
            let code = PartitionList([partition])
                .lend { takeCode(rd_kafka_incremental_unassign(client.pointer, $0)) }
            error = fatalError(code, "stop reading \(partition)")
        }
        return add([(partition, offset)]) ?? error
    }

    /// Logs that a change did not succeed.
    private func fatalError(_ code: rd_kafka_resp_err_t, _ action: String) -> DionysusError? {
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        logger.warning("the Kafka consumer could not \(action): \(code.text)")
        return client.fatalError
    }
}
