import Dionysus

extension PollWorker {
    convenience init(_ pipeline: RelayPipeline, runsOnce: Bool) {
        self.init(
            database: pipeline.database,
            outbox: pipeline.outbox,
            registry: pipeline.context.registry,
            settings: pipeline.settings,
            telemetry: pipeline.telemetry,
            runsOnce: runsOnce
        )
    }

    /// The longest time between two looks at which poll is due.
    private static let longestPause = Duration.seconds(1)

    /// Works until the queue is closed.
    /// - Parameters:
    ///   - queue: The relay's queue.
    ///   - onQueued: Called when rows have been written to the outbox.
    func run(_ queue: LaneQueue, onQueued: @Sendable () -> Void) async throws {
        guard let shortest = polls.map(\.every).min() else { return }
        let isInstalled = try await queue.retrying("look for polls", telemetry) {
            try await database.transaction(.snapshot) { try self.isInstalled(in: &$0) }
        }
        guard isInstalled == true else { return missingTables() }
        while !queue.isClosed {
            let hasWorked = try await queue.retrying("poll tables", telemetry) { try await step(onQueued: onQueued) }
            if hasWorked != true { await queue.pause(min(shortest, Self.longestPause)) }
        }
    }
}
