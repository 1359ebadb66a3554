import Dionysus
import DionysusEmbedded
import DionysusKafka
import DionysusKafkaTesting
import Foundation

/// The broker for the benchmarks: the cluster of `DIONYSUS_SEED_BROKER`, or librdkafka's mock cluster in this process.
func withKafka<T>(_ body: (any MessageBroker) async throws -> T) async throws -> T {
    try await withKafkaServers { servers in
        let broker = try KafkaBroker(bootstrapServers: servers)
        let result = try await body(broker)
        await broker.close()
        return result
    }
}

/// The address of the benchmarks' broker, also for other processes.
/// - Parameter roundTrip: The delay of the brokers' answers; it needs the mock cluster, which is then used.
func withKafkaServers<T>(roundTrip: Duration = .zero, _ body: (String) async throws -> T) async throws -> T {
    let servers = ProcessInfo.processInfo.environment["DIONYSUS_SEED_BROKER"]
    if roundTrip == .zero, let servers { return try await body(servers) }
    let cluster = try MockCluster(brokers: 1)
    if roundTrip > .zero { try cluster.setRoundTrip(roundTrip, of: 1) }
    let result = try await body(cluster.bootstrapServers)
    cluster.close()
    return result
}

/// Runs a body with a Kafka and a new topic.
/// - Parameters:
///   - body: Receives the brokers' addresses and the prefix that makes the topic's name unique.
func withKafkaTopic<T>(
    _ name: String,
    partitions: Int32,
    _ body: (_ servers: String, _ prefix: String) async throws -> T
) async throws -> T {
    if let servers = ProcessInfo.processInfo.environment["DIONYSUS_SEED_BROKER"] {
        let prefix = "bench_\(UUID().uuidString.prefix(8))_"
        let broker = try KafkaBroker(bootstrapServers: servers)
        try await broker.createTopics([TopicSpecification(name: prefix + name, partitions: partitions)])
        await broker.close()
        return try await body(servers, prefix)
    }
    let cluster = try MockCluster(brokers: 1)
    try cluster.createTopic(name, partitions: partitions)
    let result = try await body(cluster.bootstrapServers, "")
    cluster.close()
    return result
}

/// The embedded log in a file, which takes messages of any size.
func openLog(_ path: String) throws -> EmbeddedBroker {
    try EmbeddedBroker(path: path, options: EmbeddedLogOptions(maximumMessageBytes: 100_000_000))
}

/// An embedded log in a file.
///
/// The mock cluster keeps too little of a topic to read it from the beginning.
func withEmbeddedLog<T>(_ body: (EmbeddedBroker) async throws -> T) async throws -> T {
    try await withTemporaryDirectory { directory in
        let broker = try openLog(directory + "/log.sqlite")
        let result = try await body(broker)
        await broker.close()
        return result
    }
}

/// A new directory, removed after the body.
func withTemporaryDirectory<T>(_ body: (String) async throws -> T) async throws -> T {
    let directory = NSTemporaryDirectory() + "/bench-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let result = try await body(directory)
    try FileManager.default.removeItem(atPath: directory)
    return result
}
