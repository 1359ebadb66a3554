import CRdkafka
import Dionysus
import Foundation

/// Creates topics, and waits until the cluster knows them.
extension Administration {
    private typealias Outcome = (name: String, code: rd_kafka_resp_err_t, text: String)

    func createTopics(_ topics: [TopicSpecification]) async throws {
        guard !topics.isEmpty else { return }
        try await perform { client in
            guard try self.hasController(client) else {
                return try self.requireAutomaticCreation(of: topics, client)
            }
            for (name, code, text) in try self.requestCreation(of: topics, client) {
                switch code {
                case RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS: continue
                case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
                    throw DionysusError.denied(.accessDenied, "Create", on: "the topic '\(name)'", text)
                default:
                    throw DionysusError(
                        .configuration,
                        "the topic '\(name)' can't be created: \(text)",
                        advice: "correct its specification, or let the cluster's administrator create it"
                    )
                }
            }
            try self.wait(for: Set(topics.map(\.name)), client)
        }
    }

    /// Waits until the brokers know new topics: the one that created them is not the only one that is asked.
    func wait(for names: Set<String>, _ client: Client) throws {
        let deadline = ContinuousClock.now + .milliseconds(Int(Self.timeout))
        // Any broker may answer; as many positive answers in a row as there are brokers make it likely that all of them
        // know.
        var (answers, brokers) = (0, 1)
        while answers < brokers {
            let known = try withMetadata(client) { metadata in
                brokers = Int(metadata.broker_cnt)
                return Set(topics(of: metadata).map(\.name))
            }
            answers = names.isSubset(of: known) ? answers + 1 : 0
            guard answers == 0 else { continue }
            guard .now < deadline else {
                throw DionysusError(
                    .brokerUnavailable,
                    "the topics have been created, but Kafka at \(location) does not report them yet: "
                        + names.subtracting(known).sorted().joined(separator: ", "),
                    advice: "check again later with `topics`",
                    isRetriable: true
                )
            }
            Thread.sleep(forTimeInterval: Self.lookPause)
        }
    }

    private func requestCreation(of topics: [TopicSpecification], _ client: Client) throws -> [Outcome] {
        var requests: [OpaquePointer?] = []
        defer { requests.forEach { rd_kafka_NewTopic_destroy($0) } }
        for topic in topics {
            var text = [CChar](repeating: 0, count: 512)
            guard
                let request = rd_kafka_NewTopic_new(
                    topic.name,
                    topic.partitions,
                    topic.replicationFactor,
                    &text,
                    text.count
                )
            else { throw DionysusError(.configuration, "the topic '\(topic.name)' can't be created: \(string(text))") }
            requests.append(request)
            for (name, value) in topic.settings { rd_kafka_NewTopic_set_config(request, name, value) }
        }
        return try answer(to: RD_KAFKA_ADMIN_OP_CREATETOPICS, "create topics", client) { options, answers in
            // Answered once the brokers know the topics, not just the controller.
            rd_kafka_AdminOptions_set_operation_timeout(options, Self.timeout, nil, 0)
            rd_kafka_CreateTopics(client.pointer, &requests, requests.count, options, answers)
        } read: { event in
            outcomes(of: event)
        }
    }

    private func outcomes(of event: OpaquePointer) -> [Outcome] {
        var count = 0
        let results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
        return UnsafeBufferPointer(start: results, count: count)
            .map { result in
                let code = rd_kafka_topic_result_error(result)
                let text = rd_kafka_topic_result_error_string(result).map { String(cString: $0) } ?? code.text
                return (String(cString: rd_kafka_topic_result_name(result)), code, text)
            }
    }

    /// A broker that takes no administrative requests may still create topics that a client asks for.
    private func requireAutomaticCreation(of topics: [TopicSpecification], _ client: Client) throws {
        for topic in topics {
            let handle = rd_kafka_topic_new(client.pointer, topic.name, nil)
            defer { if let handle { rd_kafka_topic_destroy(handle) } }
            var result: UnsafePointer<rd_kafka_metadata>?
            let code = rd_kafka_metadata(client.pointer, 0, handle, &result, Self.timeout)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let result else { throw unavailable(code, "create topics") }
            rd_kafka_metadata_destroy(result)
        }
        let existing = Set(try metadata(client).map(\.name))
        if let missing = topics.first(where: { !existing.contains($0.name) }) {
            throw DionysusError(
                .configuration,
                "Kafka at \(location) does not support creating topics, and '\(missing.name)' does not exist",
                advice: "create it with the cluster's own tools"
            )
        }
    }

    /// Whether a broker supports administrative requests; the mock cluster names a controller that doesn't exist.
    func hasController(_ client: Client) throws -> Bool {
        let brokers = try withMetadata(client) { metadata in
            UnsafeBufferPointer(start: metadata.brokers, count: Int(metadata.broker_cnt)).map(\.id)
        }
        let controller = rd_kafka_controllerid(client.pointer, Self.timeout)
        guard controller >= 0 else { throw unavailable(RD_KAFKA_RESP_ERR__TIMED_OUT, "name its controller") }
        return brokers.contains(controller)
    }
}
