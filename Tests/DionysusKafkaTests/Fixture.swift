import Dionysus
import DionysusKafka
import DionysusKafkaTesting
import Logging
import TestSupport

/// A mock cluster with one broker, and an adapter for it.
struct Fixture {
    let cluster: MockCluster
    let broker: KafkaBroker

    init(settings: [String: String] = [:], logger: Logger = .silent) throws {
        cluster = try MockCluster(brokers: 1)
        broker = try KafkaBroker(bootstrapServers: cluster.bootstrapServers, settings: settings, logger: logger)
    }

    /// Runs a test and closes the adapter before the cluster.
    static func run(
        settings: [String: String] = [:],
        _ body: (Fixture) async throws -> Void
    ) async throws {
        let fixture = try Fixture(settings: settings)
        do {
            try await body(fixture)
        } catch {
            await fixture.end()
            throw error
        }
        await fixture.end()
    }

    func end() async {
        await broker.close()
        cluster.close()
    }

    func producer(
        timeout: Duration = .seconds(20),
        partitioner: Partitioner = .crc32,
        settings: [String: String] = [:]
    ) async throws -> any MessageProducer {
        try await broker.makeProducer(
            ProducerOptions(
                clientID: "test",
                partitioner: partitioner,
                messageTimeout: timeout,
                settings: settings
            )
        )
    }

    func member(
        group: String = "group",
        topics: [String] = ["t"],
        patterns: [String] = [],
        from position: StartPosition = .earliest,
        settings: [String: String] = [:]
    ) async throws -> Member {
        let consumer = try await broker.makeConsumer(
            ConsumerOptions(
                clientID: "test",
                groupID: group,
                topics: topics,
                topicPatterns: patterns,
                settings: .quickOnMockCluster.merging(settings) { $1 }
            )
        )
        return Member(consumer: consumer, position: position)
    }
}

extension Logger {
    static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}

extension OutgoingMessage {
    static func numbered(_ number: Int, topic: String = "t", partition: Int32? = nil) -> OutgoingMessage {
        let key = Array("\(number)".utf8)
        return OutgoingMessage(
            topic: topic,
            destination: partition.map { .partition($0) } ?? .partitioned(by: key),
            key: key,
            value: Array("value \(number)".utf8)
        )
    }
}

extension ConsumedMessage {
    var text: String? { value.map { String(decoding: $0, as: UTF8.self) } }
}

extension Result where Success == Acknowledgement, Failure == DionysusError {
    var code: DionysusError.Code? {
        if case .failure(let error) = self { error.code } else { nil }
    }
}
