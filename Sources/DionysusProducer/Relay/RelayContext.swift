import Dionysus
import Logging

/// What a relay, or a publisher after the commit, works with.
struct RelayContext: Sendable {
    let registry: Registry
    let database: any CapturingDatabase
    let broker: any MessageBroker
    var settings: ProducerSettings
    let telemetry: RelayTelemetry
    let announcer: EventAnnouncer
    /// Called after each batch that the broker has acknowledged.
    let onPublished: @Sendable (PublishedBatch) -> Void

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
        self.onPublished = onPublished
        telemetry = RelayTelemetry(
            instrumentation,
            system: broker.messagingSystem,
            settings: settings,
            logger: logger
        )
        announcer = EventAnnouncer(instrumentation, logger: logger)
    }

    var logger: Logger { telemetry.logger }
}
