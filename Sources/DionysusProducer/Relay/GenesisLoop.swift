import Dionysus

extension GenesisWorker {
    init(_ pipeline: RelayPipeline, hooks: GenesisHooks) {
        self.init(
            database: pipeline.database,
            outbox: pipeline.outbox,
            registry: pipeline.context.registry,
            refused: pipeline.refusals.runs,
            settings: pipeline.settings,
            hooks: hooks,
            telemetry: pipeline.telemetry,
            announcer: pipeline.context.announcer
        )
    }

    /// New runs and chunks that become due are looked for less often than new rows: a few seconds don't matter.
    private static let pauseWithoutWork = Duration.seconds(2)
    /// Until the relay has published enough for the next chunk, or what is left of a run.
    private static let pauseUnderPressure = Duration.milliseconds(50)

    /// Works until the queue is closed.
    /// - Parameters:
    ///   - queue: The relay's queue.
    ///   - onQueued: Called when rows may have been written to the outbox.
    func run(_ queue: LaneQueue, onQueued: @Sendable () -> Void) async throws {
        // A database that was migrated by an earlier version has no runs.
        let isInstalled = try await queue.retrying("look for genesis runs", telemetry) {
            try await database.transaction(.snapshot) { [outbox] in
                try $0.describe(table: outbox.tables.path(GenesisSchema.chunks)) != nil
            }
        }
        guard isInstalled == true else { return }
        while !queue.isClosed {
            let progress = try await queue.retrying("work on genesis runs", telemetry) {
                try await step(onQueued: onQueued)
            }
            switch progress {
            case .worked: onQueued()
            case .waitsForRelay: await queue.pause(Self.pauseUnderPressure)
            case .idle, nil: await queue.pause(max(settings.pollInterval, Self.pauseWithoutWork))
            }
        }
    }
}
