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

/// Tables of the declaration of which the database hides rows: what isn't found there counts as gone.
func hiddenRows(
    _ registry: Registry,
    _ database: any CapturingDatabase,
    in transaction: inout Transaction
) throws -> [String] {
    try database.outbox.tablesHidingRows(among: registry.tables, in: &transaction)
        .map { table in
            "row-level security hides rows of table \(table) from this role, and what the relay doesn't see would count as "
                + "deleted: let the role bypass it (ALTER ROLE … BYPASSRLS), or connect as the table's owner"
        }
}

extension RecordGroup {
    init(_ publication: Registry.Publication) {
        self.init(topic: publication.topic, modelName: publication.model.name)
    }

    /// The groups of a publication: in its topic, and in its genesis topic alone.
    static func all(of publication: Registry.Publication) -> [RecordGroup] {
        ([publication.topic] + (publication.genesisTopic.map { [$0] } ?? []))
            .map { RecordGroup(topic: $0, modelName: publication.model.name) }
    }
}
