import Dionysus
import DionysusProducer
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Rentals

/// Topics that the broker doesn't have when a relay starts.
@Suite struct DeclaredTopicTests {
    @Test("a relay that is to create topics creates the missing ones in one request, before it publishes")
    func creation() async throws {
        var settings = ProducerSettings()
        settings.createsTopics = true
        settings.topics.partitions = 7
        try await ProducerHarness.run(.sqlite, settings: settings) { harness in
            try await harness.broker.createTopics([TopicSpecification(name: "v3_rentals", partitions: 2)])
            var own = harness
            let broker = CreationWatch(base: harness.broker)
            own.broker = broker
            try await own.relay()
            let declared = Set(harness.registry.topics)
            #expect(broker.requests.map(Set.init) == [declared.subtracting(["v3_rentals"])])
            let topics = try await harness.broker.describeTopics(nil)
            #expect(Set(topics.map(\.name)) == declared)
            #expect(topics.allSatisfy { $0.partitions == ($0.name == "v3_rentals" ? 2 : 7) })
            try await own.relay()
            #expect(broker.requests.count == 1)
        }
    }

    @Test("a relay that is not to create topics says once which ones are missing")
    func warning() async throws {
        try await ProducerHarness.run(.sqlite) { harness in
            try await harness.broker.createTopics([TopicSpecification(name: "v3_rentals", partitions: 2)])
            let (warnings, continuation) = AsyncStream.makeStream(of: String.self)
            let relay = RelayService(
                harness.registry,
                database: harness.database,
                broker: CreationWatch(base: harness.broker, messagingSystem: "kafka"),
                settings: harness.settings,
                logger: Logger(label: "test") { _ in Warnings { continuation.yield($0) } }
            )
            try await harness.withService(relay) {
                let warning = await warnings.first { $0.contains("declared topics") }
                #expect(warning?.contains("v3_bookings") == true)
                #expect(warning?.contains("v3_rentals") == false)
                #expect(warning?.contains("topics --create") == true)
            }
            #expect(try await harness.broker.describeTopics(nil).map(\.name) == ["v3_rentals"])
        }
    }
}

/// A broker that remembers which topics it was to create.
private final class CreationWatch: BrokerWrapper {
    let base: any MessageBroker
    let messagingSystem: String
    private let asked = Mutex<[[String]]>([])

    init(base: any MessageBroker, messagingSystem: String? = nil) {
        self.base = base
        self.messagingSystem = messagingSystem ?? base.messagingSystem
    }

    /// The names in each request.
    var requests: [[String]] { asked.withLock(\.self) }

    func createTopics(_ topics: [TopicSpecification]) async throws {
        asked.withLock { $0.append(topics.map(\.name)) }
        try await base.createTopics(topics)
    }
}

/// A log of which only the warnings are of interest.
private struct Warnings: LogHandler {
    let onWarning: @Sendable (String) -> Void
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning

    init(_ onWarning: @escaping @Sendable (String) -> Void) { self.onWarning = onWarning }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { onWarning("\(event.message)") }
}
