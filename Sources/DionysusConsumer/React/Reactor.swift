import Dionysus
import Logging

/// Tells the application what has been committed.
struct Reactor: Sendable {
    let didConsume: @Sendable (ConsumedEvent) async throws -> Void
    let logger: Logger

    /// Tells of each event, in their order.
    ///
    /// An error is the application's and changes no data.
    func react(to events: [AppliedEvent]) async {
        for event in events {
            do {
                try await didConsume(ConsumedEvent(event))
            } catch {
                logger.error(
                    "the reaction to \(event.name) of \(event.message.source) offset \(event.message.offset) failed",
                    metadata: ["error": "\(error)"]
                )
            }
        }
    }
}
