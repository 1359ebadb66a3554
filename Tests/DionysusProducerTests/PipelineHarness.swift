import Dionysus
import Logging
import TestSupport

@testable import DionysusProducer

extension ProducerHarness {
    /// A relay whose batches a test publishes one by one.
    func pipeline(
        database other: (any CapturingDatabase)? = nil,
        broker otherBroker: (any MessageBroker)? = nil
    ) async throws -> RelayPipeline {
        let broker = otherBroker ?? broker
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let context = RelayContext(
            registry,
            database: other ?? database,
            broker: broker,
            settings: settings,
            instrumentation: Instrumentation(),
            logger: logger,
            onPublished: { _ in }
        )
        return try await RelayPipeline(context, onExpanded: { _ in })
    }

    /// Publishes one batch of each lane: however long that takes, no row is tried twice.
    func relayOnce() async throws {
        let pipeline = try await pipeline()
        try await pipeline.publishAllLanes()
        await pipeline.sender.producer.close(deadline: .seconds(5))
    }
}

extension RelayPipeline {
    /// Publishes one batch of each lane.
    func publishAllLanes() async throws {
        for lane in 0..<outbox.lanes { _ = try await publishBatch(ofLane: lane) }
    }
}
