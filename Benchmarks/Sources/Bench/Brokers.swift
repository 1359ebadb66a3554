import Dionysus
import DionysusEmbedded
import DionysusKafka
import DionysusKafkaTesting
import Foundation

/// The broker that is measured with: the cluster of `DIONYSUS_SEED_BROKER`, or librdkafka's mock cluster in this process.
func withKafka<T>(_ body: (any MessageBroker) async throws -> T) async throws -> T {
    try await withKafkaServers { servers in
        let broker = try KafkaBroker(bootstrapServers: servers)
        let result = try await body(broker)
        await broker.close()
        return result
    }
}

/// Where the broker that is measured with is found, for another process too.
/// - Parameter roundTrip: How late the brokers answer; only the mock cluster can be told, so then it is used.
func withKafkaServers<T>(roundTrip: Duration = .zero, _ body: (String) async throws -> T) async throws -> T {
    let servers = ProcessInfo.processInfo.environment["DIONYSUS_SEED_BROKER"]
    if roundTrip == .zero, let servers { return try await body(servers) }
    let cluster = try MockCluster(brokers: 1)
    if roundTrip > .zero { try cluster.setRoundTrip(roundTrip, of: 1) }
    let result = try await body(cluster.bootstrapServers)
    cluster.close()
    return result
}

/// A log in a file.
///
/// The mock cluster keeps too little of a topic to be read from its beginning.
func withEmbeddedLog<T>(_ body: (EmbeddedBroker) async throws -> T) async throws -> T {
    try await withTemporaryDirectory { directory in
        let broker = try EmbeddedBroker(path: directory + "/log.sqlite")
        let result = try await body(broker)
        await broker.close()
        return result
    }
}

/// A directory of its own, removed after the body.
func withTemporaryDirectory<T>(_ body: (String) async throws -> T) async throws -> T {
    let directory = NSTemporaryDirectory() + "/bench-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let result = try await body(directory)
    try FileManager.default.removeItem(atPath: directory)
    return result
}
