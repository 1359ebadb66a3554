import CRdkafka
import Dionysus
import Dispatch
import Foundation
import Synchronization

/// Asks a cluster about its topics, with its own client, made when it is first needed.
///
/// librdkafka's calls for this block; they run one after another on a dedicated queue.
final class Administration: Sendable {
    private enum State {
        case idle
        case connected(WatchedClient)
        case closed

        var client: WatchedClient? { if case .connected(let client) = self { client } else { nil } }
    }

    static let timeout: Int32 = 10_000
    /// The timeout of the first request in milliseconds; later ones have longer timeouts.
    private static let firstSlice: Int32 = 700
    /// The delay before the brokers are queried again for new topics, in seconds.
    private static let lookPause = 0.1

    private let location: String
    private let events: ClientEvents
    private let makeClient: @Sendable () throws -> Client
    private let queue = DispatchQueue(label: "dionysus-kafka-administration")
    private let state = Mutex(State.idle)

    init(location: String, events: ClientEvents, makeClient: @escaping @Sendable () throws -> Client) {
        self.location = location
        self.events = events
        self.makeClient = makeClient
    }

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
    private func wait(for names: Set<String>, _ client: Client) throws {
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

    func describeTopics(_ names: [String]?) async throws -> [TopicDescription] {
        try await perform { client in
            let wanted = names.map(Set.init)
            return try self.metadata(client).filter { wanted?.contains($0.name) ?? true }
        }
    }

    /// The total number of partitions of topics; nil if no broker answers soon.
    func partitionCount(of names: [String], patterns: [String]) async -> Int? {
        try? await perform { client in
            var result: UnsafePointer<rd_kafka_metadata>?
            let patience = Int32(Reachability.patience.milliseconds)
            let code = rd_kafka_metadata(client.pointer, 1, nil, &result, patience)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let result else {
                throw self.unavailable(code, "describe itself")
            }
            defer { rd_kafka_metadata_destroy(result) }
            let expressions = patterns.compactMap { try? Regex($0) }
            return self.topics(of: result.pointee)
                .filter { topic in
                    names.contains(topic.name) || expressions.contains { topic.name.firstMatch(of: $0) != nil }
                }
                .reduce(0) { $0 + Int($1.partitions) }
        }
    }

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

    func offsets(of partitions: [TopicPartition]) async throws -> [TopicPartition: OffsetRange] {
        guard !partitions.isEmpty else { return [:] }
        return try await perform { client in
            let existing = try self.existing(partitions, client)
            guard !existing.isEmpty else { return [:] }
            let first = try self.offsets(of: existing, at: Int64(RD_KAFKA_OFFSET_BEGINNING), client)
            let next = try self.offsets(of: existing, at: Int64(RD_KAFKA_OFFSET_END), client)
            return first.reduce(into: [:]) { ranges, entry in
                if let next = next[entry.key] { ranges[entry.key] = OffsetRange(first: entry.value, next: next) }
            }
        }
    }

    func offsets(of partitions: [TopicPartition], at time: Timestamp) async throws -> [TopicPartition: Int64] {
        guard !partitions.isEmpty else { return [:] }
        return try await perform { client in
            let existing = try self.existing(partitions, client)
            guard !existing.isEmpty else { return [:] }
            // The ends are queried first, so that messages written between the two requests are not skipped.
            let next = try self.offsets(of: existing, at: Int64(RD_KAFKA_OFFSET_END), client)
            // Kafka's times have millisecond precision, and librdkafka's special offsets are negative.
            let milliseconds = max(0, time.microseconds / 1_000 + (time.microseconds % 1_000 > 0 ? 1 : 0))
            return next.merging(try self.offsets(of: existing, at: milliseconds, client)) { $1 }
        }
    }

    // A client that is not ended would go on for the rest of the process's life. No call is in progress: it would have kept this.
    deinit {
        guard let client = state.withLock(\.client) else { return }
        queue.async { client.end() }
    }

    /// Ends the client after the calls in progress.
    func close() async {
        await withCheckedContinuation { continuation in
            queue.async { [self] in
                let client = state.withLock { state in
                    defer { state = .closed }
                    return state.client
                }
                client?.end()
                continuation.resume()
            }
        }
    }

    // MARK: On the queue

    func perform<T: Sendable>(_ body: @escaping @Sendable (Client) throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { [self] in
                continuation.resume(
                    with: Result {
                        try body(try connect())
                    }
                )
            }
        }
    }

    private func connect() throws -> Client {
        try state.withLock { state in
            switch state {
            case .connected(let watched): return watched.client
            case .closed: throw DionysusError(.closed, "the Kafka broker \(location) has been closed")
            case .idle:
                let watched = WatchedClient(try makeClient(), events, queue)
                watched.begin()
                state = .connected(watched)
                return watched.client
            }
        }
    }

    func unavailable(_ code: rd_kafka_resp_err_t, _ action: String) -> DionysusError {
        if code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED {
            let operation = action == "create topics" ? "Create" : "Describe"
            return .denied(.accessDenied, operation, on: "the cluster", "\(code.text) (\(code.name))")
        }
        if let outage = events.connectivity.outage, outage.code == .accessDenied { return outage }
        let reason = events.connectivity.reason ?? "\(code.text) (\(code.name))"
        return DionysusError(
            .brokerUnavailable,
            "Kafka at \(location) could not \(action): \(reason)",
            advice: "check that it runs and can be reached",
            isRetriable: true
        )
    }

    /// Handles the client's events.
    private func listen(to client: Client) {
        while let event = rd_kafka_queue_poll(client.queue, 0) {
            _ = events.handle(event)
            rd_kafka_event_destroy(event)
        }
    }

    /// All topics, because querying single ones would create them on clusters with automatic creation.
    private func metadata(_ client: Client) throws -> [TopicDescription] {
        try withMetadata(client) { topics(of: $0) }
    }

    private func topics(of metadata: rd_kafka_metadata) -> [TopicDescription] {
        UnsafeBufferPointer(start: metadata.topics, count: Int(metadata.topic_cnt))
            .filter { $0.err == RD_KAFKA_RESP_ERR_NO_ERROR }
            .map { TopicDescription(name: String(cString: $0.topic), partitions: $0.partition_cnt) }
    }

    /// Whether a broker supports administrative requests; the mock cluster names a controller that doesn't exist.
    private func hasController(_ client: Client) throws -> Bool {
        let brokers = try withMetadata(client) { metadata in
            UnsafeBufferPointer(start: metadata.brokers, count: Int(metadata.broker_cnt)).map(\.id)
        }
        let controller = rd_kafka_controllerid(client.pointer, Self.timeout)
        guard controller >= 0 else { throw unavailable(RD_KAFKA_RESP_ERR__TIMED_OUT, "name its controller") }
        return brokers.contains(controller)
    }

    /// Queries repeatedly, at first with short timeouts, so that a rejected client finds out in time.
    private func withMetadata<T>(_ client: Client, _ body: (rd_kafka_metadata) -> T) throws -> T {
        var (left, slice) = (Self.timeout, Self.firstSlice)
        while true {
            var result: UnsafePointer<rd_kafka_metadata>?
            let code = rd_kafka_metadata(client.pointer, 1, nil, &result, min(slice, left))
            if code == RD_KAFKA_RESP_ERR_NO_ERROR, let result {
                defer { rd_kafka_metadata_destroy(result) }
                _ = events.connectivity.looked(nil)
                events.outage.end()
                return body(result.pointee)
            }
            listen(to: client)
            if let outage = events.connectivity.looked(code.text), outage.code == .accessDenied { throw outage }
            left -= slice
            guard left > 0 else { throw unavailable(code, "describe itself") }
            slice *= 2
        }
    }

    /// The existing partitions: librdkafka would wait for the leader of a missing one until the timeout.
    private func existing(_ partitions: [TopicPartition], _ client: Client) throws -> Set<TopicPartition> {
        let counts = Dictionary(
            try metadata(client).map { ($0.name, $0.partitions) },
            uniquingKeysWith: { first, _ in first }
        )
        return Set(partitions).filter { 0..<(counts[$0.topic] ?? 0) ~= $0.partition }
    }

    private func offsets(
        of partitions: Set<TopicPartition>,
        at time: Int64,
        _ client: Client
    ) throws -> [TopicPartition: Int64] {
        let list = PartitionList(partitions.map { ($0, time) })
        let code = list.lend { rd_kafka_offsets_for_times(client.pointer, $0, Self.timeout) }
        let denial = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
        let denied = list.elements.filter { $0.error == denial }.map(\.partition.topic)
        if code == denial || !denied.isEmpty {
            let topics = Set(denied.isEmpty ? partitions.map(\.topic) : denied).sorted()
            let names = topics.map { "'\($0)'" }.joined(separator: ", ")
            throw DionysusError.denied(.accessDenied, "Describe", on: "the topic \(names)", denial.text)
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw unavailable(code, "tell its offsets") }
        return list.elements.reduce(into: [:]) { offsets, element in
            guard element.error == RD_KAFKA_RESP_ERR_NO_ERROR, element.offset >= 0 else { return }
            offsets[element.partition] = element.offset
        }
    }

    private typealias Outcome = (name: String, code: rd_kafka_resp_err_t, text: String)

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
        let options = rd_kafka_AdminOptions_new(client.pointer, RD_KAFKA_ADMIN_OP_CREATETOPICS)
        defer { rd_kafka_AdminOptions_destroy(options) }
        rd_kafka_AdminOptions_set_request_timeout(options, Self.timeout, nil, 0)
        // Answered once the brokers know the topics, not just the controller.
        rd_kafka_AdminOptions_set_operation_timeout(options, Self.timeout, nil, 0)
        let answers = rd_kafka_queue_new(client.pointer)
        defer { rd_kafka_queue_destroy(answers) }
        rd_kafka_CreateTopics(client.pointer, &requests, requests.count, options, answers)
        guard let event = rd_kafka_queue_poll(answers, -1) else {
            throw unavailable(RD_KAFKA_RESP_ERR__TIMED_OUT, "create topics")
        }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        switch code {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
            return outcomes(of: event)
        default:
            throw unavailable(code, "create topics")
        }
    }

    /// The settings of topics, without those that the cluster denies.
    private func requestSettings(of topics: [String], _ client: Client) throws -> [String: [String: String]] {
        var resources: [OpaquePointer?] = topics.map { rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, $0) }
        defer { for case let resource? in resources { rd_kafka_ConfigResource_destroy(resource) } }
        let options = rd_kafka_AdminOptions_new(client.pointer, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS)
        defer { rd_kafka_AdminOptions_destroy(options) }
        rd_kafka_AdminOptions_set_request_timeout(options, Self.timeout, nil, 0)
        let answers = rd_kafka_queue_new(client.pointer)
        defer { rd_kafka_queue_destroy(answers) }
        rd_kafka_DescribeConfigs(client.pointer, &resources, resources.count, options, answers)
        guard let event = rd_kafka_queue_poll(answers, -1) else {
            throw unavailable(RD_KAFKA_RESP_ERR__TIMED_OUT, "describe topics")
        }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw unavailable(code, "describe topics") }
        var count = 0
        let results = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count)
        return UnsafeBufferPointer(start: results, count: count)
            .reduce(into: [:]) { settings, resource in
                guard rd_kafka_ConfigResource_error(resource) == RD_KAFKA_RESP_ERR_NO_ERROR else { return }
                settings[String(cString: rd_kafka_ConfigResource_name(resource))] = self.settings(of: resource)
            }
    }

    private func settings(of resource: OpaquePointer?) -> [String: String] {
        var count = 0
        let entries = rd_kafka_ConfigResource_configs(resource, &count)
        return UnsafeBufferPointer(start: entries, count: count)
            .reduce(into: [:]) { settings, entry in
                guard let value = rd_kafka_ConfigEntry_value(entry) else { return }
                settings[String(cString: rd_kafka_ConfigEntry_name(entry))] = String(cString: value)
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
}

/// A client whose queue is also drained between calls, so that it doesn't grow.
private final class WatchedClient: Sendable {
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
