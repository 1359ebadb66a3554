import CRdkafka
import Dionysus

/// Reads the settings of topics.
extension Administration {
    /// Empty if the cluster doesn't support administrative requests or denies them.
    func configurations(of topics: [String]) async throws -> [String: TopicConfiguration] {
        guard !topics.isEmpty else { return [:] }
        return try await perform { client in
            let wanted = Set(topics)
            var configurations = try self.withMetadata(client) { metadata in
                UnsafeBufferPointer(start: metadata.topics, count: Int(metadata.topic_cnt))
                    .filter { $0.err == RD_KAFKA_RESP_ERR_NO_ERROR && wanted.contains(String(cString: $0.topic)) }
                    .reduce(into: [String: TopicConfiguration]()) { configurations, topic in
                        let factor = topic.partition_cnt > 0 ? topic.partitions?.pointee.replica_cnt : nil
                        configurations[String(cString: topic.topic)] = TopicConfiguration(replicationFactor: factor)
                    }
            }
            guard !configurations.isEmpty, try self.hasController(client) else { return configurations }
            let names = Array(configurations.keys)
            for (name, settings) in try self.requestSettings(of: names, client) {
                configurations[name]?.settings = settings
            }
            return configurations
        }
    }

    /// The topics that accept no messages because too few of their replicas are in sync, with the problem.
    func shortages(of topics: Set<String>) async throws -> [String: String] {
        try await perform { client in
            let fewest = try self.withMetadata(client) { metadata in
                UnsafeBufferPointer(start: metadata.topics, count: Int(metadata.topic_cnt))
                    .reduce(into: [String: (partition: Int32, inSync: Int32)]()) { fewest, topic in
                        let name = String(cString: topic.topic)
                        guard topics.contains(name) else { return }
                        let partitions = UnsafeBufferPointer(start: topic.partitions, count: Int(topic.partition_cnt))
                        guard let least = partitions.min(by: { $0.isr_cnt < $1.isr_cnt }) else { return }
                        fewest[name] = (least.id, least.isr_cnt)
                    }
            }
            guard !fewest.isEmpty, try self.hasController(client) else { return [:] }
            let settings = try self.requestSettings(of: Array(fewest.keys), client)
            return fewest.reduce(into: [:]) { shortages, entry in
                let (name, (partition, inSync)) = entry
                guard let needed = settings[name]?["min.insync.replicas"].flatMap({ Int32($0) }), inSync < needed else {
                    return
                }
                shortages[name] =
                    "NOT_ENOUGH_REPLICAS: \(inSync) of partition \(partition) in sync, min.insync.replicas is \(needed)"
            }
        }
    }

    /// The settings of topics, without those that the cluster denies.
    private func requestSettings(of topics: [String], _ client: Client) throws -> [String: [String: String]] {
        var resources: [OpaquePointer?] = topics.map { rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, $0) }
        defer { for case let resource? in resources { rd_kafka_ConfigResource_destroy(resource) } }
        return try answer(to: RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "describe topics", client) { options, answers in
            rd_kafka_DescribeConfigs(client.pointer, &resources, resources.count, options, answers)
        } read: { event in
            var count = 0
            let results = rd_kafka_DescribeConfigs_result_resources(
                rd_kafka_event_DescribeConfigs_result(event),
                &count
            )
            return UnsafeBufferPointer(start: results, count: count)
                .reduce(into: [:]) { settings, resource in
                    guard rd_kafka_ConfigResource_error(resource) == RD_KAFKA_RESP_ERR_NO_ERROR else { return }
                    settings[String(cString: rd_kafka_ConfigResource_name(resource))] = self.settings(of: resource)
                }
        }
    }

    func settings(of resource: OpaquePointer?) -> [String: String] {
        var count = 0
        let entries = rd_kafka_ConfigResource_configs(resource, &count)
        return UnsafeBufferPointer(start: entries, count: count)
            .reduce(into: [:]) { settings, entry in
                guard let value = rd_kafka_ConfigEntry_value(entry) else { return }
                settings[String(cString: rd_kafka_ConfigEntry_name(entry))] = String(cString: value)
            }
    }
}
