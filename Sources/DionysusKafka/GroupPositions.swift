import CRdkafka
import Dionysus

extension Administration {
    /// What the group of a consuming client has committed, whether or not it has members.
    func committedPositions(of partitions: [TopicPartition]) async throws -> [TopicPartition: CommittedPosition] {
        guard !partitions.isEmpty else { return [:] }
        return try await perform { client in
            let list = PartitionList(partitions)
            let code = list.lend { rd_kafka_committed(client.pointer, $0, Self.timeout) }
            try self.check(code)
            return try list.elements.reduce(into: [:]) { positions, element in
                try self.check(element.error)
                guard element.offset >= 0 else { return }
                positions[element.partition] = CommittedPosition(offset: element.offset, metadata: element.metadata)
            }
        }
    }

    private func check(_ code: rd_kafka_resp_err_t) throws {
        switch code {
        case RD_KAFKA_RESP_ERR_NO_ERROR: return
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: return
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
            RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
            throw DionysusError(
                .configuration,
                "Kafka did not return the group's offsets: \(code.text)",
                advice: "allow this client's user to read the topics and to join the group"
            )
        default: throw unavailable(code, "tell the group's offsets")
        }
    }
}
