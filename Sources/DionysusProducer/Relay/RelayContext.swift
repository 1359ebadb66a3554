import Dionysus
import Logging

/// What a relay works with, and a publisher after the commit alike.
struct RelayContext: Sendable {
    let registry: Registry
    let database: any CapturingDatabase
    let broker: any MessageBroker
    var settings: ProducerSettings
    let onPublished: @Sendable (PublishedBatch) -> Void
    let telemetry: RelayTelemetry
    let logger: Logger

    init(
        _ registry: Registry,
        database: any CapturingDatabase,
        broker: any MessageBroker,
        settings: ProducerSettings,
        instrumentation: Instrumentation,
        logger: Logger,
        onPublished: @escaping @Sendable (PublishedBatch) -> Void
    ) {
        self.registry = registry
        self.database = database
        self.broker = broker
        self.settings = settings
        self.logger = logger
        self.onPublished = onPublished
        telemetry = RelayTelemetry(
            instrumentation,
            system: broker.messagingSystem,
            settings: settings,
            logger: logger
        )
    }

    /// Prepares the way of batches from the outbox to the broker.
    /// - Parameters:
    ///   - onExpanded: Called with the lanes that rows have been replaced into.
    ///   - onPending: Called with the lanes that had something to publish when a lane was settled; nil not to look for them.
    /// - Throws: ``DionysusError``: `configuration` or `declaration` when it can't be.
    func pipeline(
        onExpanded: @escaping @Sendable ([Int]) -> Void,
        onPending: (@Sendable ([Int]) -> Void)? = nil
    ) async throws -> RelayPipeline {
        try await RelayPipeline(
            registry,
            database: database,
            broker: broker,
            settings: settings,
            logger: logger,
            onPublished: onPublished,
            onExpanded: onExpanded,
            onPending: onPending,
            telemetry: telemetry
        )
    }
}
