import CRdkafka
import Dionysus
import Synchronization

/// librdkafka's simulated Kafka cluster, for tests.
///
/// It listens on ports of localhost, so that other processes can use it too. A topic comes into being, with four
/// partitions, when a client first asks for it. It keeps about 5 MiB of each partition, knows no administrative
/// requests, finds no message by its time, and takes three seconds over a group's first assignment.
///
///     let cluster = try MockCluster(brokers: 1)
///     let broker = try KafkaBroker(bootstrapServers: cluster.bootstrapServers, logger: logger)
public final class MockCluster: Sendable {
    /// A kind of request that a test can make fail.
    public enum Request: Int16, Sendable {
        case produce = 0
        case fetch = 1
        case listOffsets = 2
        case metadata = 3
        case offsetCommit = 8
        case offsetFetch = 9
        case findCoordinator = 10
        case joinGroup = 11
        case heartbeat = 12
        case leaveGroup = 13
        case syncGroup = 14
        case initProducerID = 22
    }

    /// `@unchecked Sendable`: a mock cluster's functions pass their work to the cluster's own thread, and the
    /// ``MockCluster`` that owns it destroys it.
    private struct Handle: @unchecked Sendable {
        let client: OpaquePointer
        let cluster: OpaquePointer
    }

    private let handle: Mutex<Handle?>
    /// The ports of stopped brokers.
    private let reserved = Mutex<[Int32: ReservedPort]>([:])

    /// The cluster's addresses: `host:port`, separated by commas.
    public let bootstrapServers: String

    /// Starts a cluster.
    /// - Parameter brokers: The number of brokers; they are numbered from one.
    /// - Throws: ``/Dionysus/DionysusError`` with code `brokerUnavailable` if it can't listen.
    public init(brokers: Int32 = 1) throws {
        let configuration = rd_kafka_conf_new()
        // The cluster logs every injected fault; the clients' own logs show the effects.
        rd_kafka_conf_set(configuration, "log_level", "0", nil, 0)
        guard let client = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0) else {
            rd_kafka_conf_destroy(configuration)
            throw DionysusError(.brokerUnavailable, "the mock cluster can't be started")
        }
        guard let cluster = rd_kafka_mock_cluster_new(client, brokers),
            let servers = rd_kafka_mock_cluster_bootstraps(cluster)
        else {
            rd_kafka_destroy(client)
            throw DionysusError(.brokerUnavailable, "the mock cluster can't listen on a port of localhost")
        }
        bootstrapServers = String(cString: servers)
        sendWithoutDelay(bootstrapServers)
        handle = Mutex(Handle(client: client, cluster: cluster))
    }

    deinit { close() }

    /// Stops the cluster; further calls have no effect.
    public func close() {
        guard let ended = handle.withLock({ $0.take() }) else { return }
        rd_kafka_mock_cluster_destroy(ended.cluster)
        rd_kafka_destroy(ended.client)
    }

    /// Creates a topic.
    /// - Throws: ``/Dionysus/DionysusError`` with code `conflict` if it exists.
    public func createTopic(_ name: String, partitions: Int32 = 4) throws {
        try perform("create the topic '\(name)'") { rd_kafka_mock_topic_create($0, name, partitions, 1) }
    }

    /// Makes the next requests of a kind fail.
    /// - Parameters:
    ///   - request: The kind of request.
    ///   - codes: Kafka's error codes, one for each request to fail; -195 (`_TRANSPORT`) cuts the connection.
    public func fail(_ request: Request, with codes: [Int32]) {
        let errors = codes.map { rd_kafka_resp_err_t(rawValue: $0) }
        withCluster {
            rd_kafka_mock_push_request_errors_array($0, request.rawValue, errors.count, errors)
        }
    }

    /// Cancels the remaining failures of ``fail(_:with:)``.
    public func clearFailures(_ request: Request) {
        withCluster { rd_kafka_mock_clear_request_errors($0, request.rawValue) }
    }

    /// Makes every request for a topic fail.
    /// - Parameters:
    ///   - code: Kafka's error code; zero ends it.
    ///   - topic: The topic.
    public func setError(_ code: Int32, of topic: String) {
        withCluster { rd_kafka_mock_topic_set_error($0, topic, rd_kafka_resp_err_t(rawValue: code)) }
    }

    /// Sets the delay of a broker's answers.
    /// - Parameters:
    ///   - duration: The delay; zero for none.
    ///   - broker: The broker's id, counted from 1.
    /// - Throws: ``/Dionysus/DionysusError`` with code `notFound` if there is no such broker.
    public func setRoundTrip(_ duration: Duration, of broker: Int32) throws {
        try perform("set the round trip of broker \(broker)") {
            rd_kafka_mock_broker_set_rtt($0, broker, Int32(clamping: Int64(duration / .milliseconds(1))))
        }
    }

    /// Closes a broker's connections and refuses new ones.
    /// - Throws: ``/Dionysus/DionysusError`` with code `notFound` if there is no such broker.
    public func stopBroker(_ broker: Int32) throws {
        try perform("stop broker \(broker)") { rd_kafka_mock_broker_set_down($0, broker) }
        reserved.withLock { $0[broker] = $0[broker] ?? port(of: broker).flatMap { ReservedPort($0) } }
    }

    /// Makes a stopped broker accept connections again.
    /// - Throws: ``/Dionysus/DionysusError`` with code `notFound` if there is no such broker.
    public func startBroker(_ broker: Int32) throws {
        try perform("start broker \(broker)") { rd_kafka_mock_broker_set_up($0, broker) }
        reserved.withLock { $0[broker] = nil }
    }

    private func port(of broker: Int32) -> UInt16? {
        let servers = bootstrapServers.split(separator: ",")
        guard servers.indices.contains(Int(broker) - 1) else { return nil }
        return servers[Int(broker) - 1].split(separator: ":").last.flatMap { UInt16($0) }
    }

    private func withCluster(_ body: (OpaquePointer) -> Void) {
        handle.withLock { if let handle = $0 { body(handle.cluster) } }
    }

    private func perform(_ action: String, _ body: (OpaquePointer) -> rd_kafka_resp_err_t) throws {
        let code = try handle.withLock { handle in
            guard let handle else { throw DionysusError(.closed, "the mock cluster has been closed") }
            return body(handle.cluster)
        }
        switch code {
        case RD_KAFKA_RESP_ERR_NO_ERROR: return
        case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
            throw DionysusError(.conflict, "the mock cluster could not \(action): \(text(of: code))")
        default: throw DionysusError(.notFound, "the mock cluster could not \(action): \(text(of: code))")
        }
    }

    private func text(of code: rd_kafka_resp_err_t) -> String { String(cString: rd_kafka_err2str(code)) }
}
