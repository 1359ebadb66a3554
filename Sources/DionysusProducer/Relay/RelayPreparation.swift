import Dionysus

extension RelayPipeline {
    /// Reads the catalogue, raises the version, and connects to the broker.
    /// - Parameters:
    ///   - onExpanded: Called with the lanes of rows that have been written.
    ///   - onPending: Called with the lanes that had something to publish when a lane was settled; nil not to look.
    /// - Throws: ``DionysusError``: `configuration` or `declaration` when the relay can't begin.
    init(
        _ context: RelayContext,
        onExpanded: @escaping @Sendable ([Int]) -> Void,
        onPending: (@Sendable ([Int]) -> Void)? = nil
    ) async throws {
        let (database, settings) = (context.database, context.settings)
        let registry = try await context.registry.withDerivedObservers(from: database)
        let catalogue = try await Catalogue.read(for: registry, from: database)
        try throwFaults(registry.faults(in: catalogue))
        let (outbox, sourceID) = try await Self.openOutbox(
            context,
            registry,
            CaptureInstallation(registry, catalogue, database)
        )
        self.context = context
        self.outbox = outbox
        self.onExpanded = onExpanded
        self.onPending = onPending
        keys = RecordKey.spelled(registry, catalogue)
        followsDestructions = outbox.lanes > 1 && registry.publications.contains { $0.partitionKey.isColumn }
        expander = Expander(
            database: database,
            outbox: outbox,
            expansions: Expansions(registry, catalogue, outbox),
            settings: settings
        ) { [chunkSize = settings.genesisChunkSize, tables = outbox.tables] rows, ways, transaction in
            try Genesis.observerRun(rows, by: ways, chunkSize: chunkSize, tables: tables, in: &transaction)
        }
        let plans = try LoadPlan.all(of: registry, catalogue)
        encodings = try RecordEncodings(registry, plans: plans, registry: settings.schemaRegistry)
        loader = SnapshotLoader(
            database: database,
            plans: plans,
            styles: WireStyles(registry, settings, isRubyOutbox: outbox.isMadeByRuby)
        )
        composer = Composer(sourceID: sourceID, registry: registry, onFailure: settings.onFailure)
        refusals = Refusals(database: database, outbox: outbox, telemetry: context.telemetry)
        sender = MessageSender(
            producer: try await context.broker.makeProducer(settings.producerOptions),
            middleware: registry.middleware
        )
    }

    private static func openOutbox(
        _ context: RelayContext,
        _ registry: Registry,
        _ capture: CaptureInstallation
    ) async throws -> (outbox: Outbox, sourceID: String) {
        let (database, settings) = (context.database, context.settings)
        let logger = context.logger
        return try await database.transaction(.write) { transaction in
            var outbox = try Outbox.open(of: database, in: &transaction)
            outbox.publishingDelay = settings.publishingDelay
            outbox.maxRetryDelay = settings.maxRetryDelay
            let fault = try OutboxVersion.fault(outbox.tables, in: &transaction)
            try throwFaults([fault].compactMap(\.self))
            try throwFaults(capture.faults(in: &transaction) + hiddenRows(registry, database, in: &transaction))
            try transaction.run(outbox.forgetAllRefusals())
            for fault in try outbox.support.outboxFaults(in: &transaction) { logger.warning("\(fault)") }
            try outbox.support.raiseVersion(in: &transaction)
            let sourceID = try transaction.run(outbox.sourceID)
            return (outbox, try sourceID.first?.text(0) ?? "")
        }
    }
}
