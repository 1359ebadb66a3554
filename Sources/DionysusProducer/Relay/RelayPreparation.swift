import Dionysus
import Logging

extension RelayPipeline {
    /// Reads the catalogue, raises the version, and connects to the broker.
    init(
        _ registry: Registry,
        database: any CapturingDatabase,
        broker: any MessageBroker,
        settings: ProducerSettings,
        logger: Logger,
        onPublished: @escaping @Sendable (PublishedBatch) -> Void,
        onExpanded: @escaping @Sendable ([Int]) -> Void,
        onPending: (@Sendable ([Int]) -> Void)?,
        telemetry: RelayTelemetry
    ) async throws {
        let catalogue = try await Catalogue.read(for: registry, from: database)
        try throwFaults(registry.faults(in: catalogue))
        let capture = CaptureInstallation(registry, catalogue, database)
        let (outbox, sourceID) = try await database.transaction(.write) { transaction in
            var outbox = try Outbox.open(of: database, in: &transaction)
            outbox.publishingDelay = settings.publishingDelay
            outbox.maxRetryDelay = settings.maxRetryDelay
            try throwFaults(capture.faults(in: &transaction) + hiddenRows(registry, database, in: &transaction))
            try transaction.run(outbox.forgetAllRefusals())
            for fault in try outbox.support.outboxFaults(in: &transaction) { logger.warning("\(fault)") }
            try outbox.support.raiseVersion(in: &transaction)
            let sourceID = try transaction.run(outbox.sourceID)
            return (outbox, try sourceID.first?.text(0) ?? "")
        }
        let plans = try registry.publications.flatMap { publication in
            let plan = try LoadPlan(publication, catalogue)
            return RecordGroup.all(of: publication).map { ($0, plan) }
        }
        let options = ProducerOptions(
            clientID: settings.clientID,
            partitioner: settings.partitioner,
            messageTimeout: settings.messageTimeout,
            settings: settings.brokerSettings
        )
        self.init(
            database: database,
            outbox: outbox,
            producer: try await broker.makeProducer(options),
            settings: settings,
            registry: registry,
            expansions: Expansions(registry, catalogue, outbox),
            plans: Dictionary(plans, uniquingKeysWith: { first, _ in first }),
            styles: WireStyles(registry, settings, isRubyOutbox: outbox.isMadeByRuby),
            composer: Composer(sourceID: sourceID, registry: registry),
            keys: RecordKey.spelled(registry, catalogue),
            housekeeping: LaneHousekeeping(),
            onPublished: onPublished,
            onExpanded: onExpanded,
            onPending: onPending,
            telemetry: telemetry,
            logger: logger
        )
    }
}
