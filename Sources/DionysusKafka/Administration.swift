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
    static let lookPause = 0.1

    let location: String
    private let events: ClientEvents
    private let makeClient: @Sendable () throws -> Client
    private let queue = DispatchQueue(label: "dionysus-kafka-administration")
    private let state = Mutex(State.idle)

    init(location: String, events: ClientEvents, makeClient: @escaping @Sendable () throws -> Client) {
        self.location = location
        self.events = events
        self.makeClient = makeClient
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
    func metadata(_ client: Client) throws -> [TopicDescription] {
        try withMetadata(client) { topics(of: $0) }
    }

    func topics(of metadata: rd_kafka_metadata) -> [TopicDescription] {
        UnsafeBufferPointer(start: metadata.topics, count: Int(metadata.topic_cnt))
            .filter { $0.err == RD_KAFKA_RESP_ERR_NO_ERROR }
            .map { TopicDescription(name: String(cString: $0.topic), partitions: $0.partition_cnt) }
    }

    /// Queries repeatedly, at first with short timeouts, so that a rejected client finds out in time.
    func withMetadata<T>(_ client: Client, _ body: (rd_kafka_metadata) -> T) throws -> T {
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
    func existing(_ partitions: [TopicPartition], _ client: Client) throws -> Set<TopicPartition> {
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
}
