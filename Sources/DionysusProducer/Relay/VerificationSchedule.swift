import Dionysus
import Logging

/// Starts verification runs at intervals, while a relay works.
///
/// Of several relays one starts each run: when the last one was started stands in the database.
struct VerificationSchedule: Sendable {
    /// How often it is looked whether a run is due.
    private static let pause = Duration.seconds(60)

    private let verification: Verification
    private let publications: [RecordGroup]
    private let interval: Duration
    private let broker: any MessageBroker
    private let logger: Logger

    /// - Returns: Nil if runs are started only by hand.
    init?(_ context: RelayContext) {
        guard let interval = context.settings.verificationInterval else { return nil }
        self.interval = interval
        verification = Verification(
            database: context.database,
            registry: context.registry,
            settings: context.settings
        )
        publications = context.registry.publications.map { RecordGroup($0) }.withoutRepetitions
        broker = context.broker
        logger = context.logger
    }

    /// Works until the queue is closed.
    func run(until queue: LaneQueue) async {
        var refused: Set<RecordGroup> = []
        while !queue.isClosed {
            for group in publications where !queue.isClosed && !refused.contains(group) {
                if await !start(group) { refused.insert(group) }
            }
            await queue.pause(Self.pause)
        }
    }

    /// - Returns: Whether it makes sense to try it another time.
    private func start(_ group: RecordGroup) async -> Bool {
        do {
            let run = try await verification.start(group.topic, group.modelName, unlessWithin: interval, on: broker)
            if let run { logger.info("started verification run \(run.id) of \(group.modelName) in \(group.topic)") }
            return true
        } catch let error as DionysusError where error.code == .conflict {
            // The last one goes on.
            return true
        } catch {
            logger.warning("no verification of \(group.modelName) in \(group.topic) could be started: \(error)")
            return (error as? DionysusError)?.code != .declaration
        }
    }
}
