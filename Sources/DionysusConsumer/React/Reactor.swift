import Dionysus

/// Tells the event bus and the application what has been committed.
struct Reactor: Sendable {
    let didConsume: @Sendable (ConsumedEvent) async throws -> Void
    let telemetry: ConsumerTelemetry

    /// Tells of the events together, then of each, in their order.
    ///
    /// An error is the application's and changes no data.
    func react(to applied: [AppliedEvent]) async {
        let timing = telemetry.metrics.begin(.react)
        defer { timing.end() }
        let events = applied.map { ConsumedEvent($0) }
        await telemetry.publish(events)
        let isBusObserved = telemetry.isBusObserved
        for event in events {
            if isBusObserved { await telemetry.publish(event) }
            do {
                try await didConsume(event)
            } catch {
                telemetry.reactionFailed(error, "react to \(event.name)", event.source, offset: event.offset)
            }
        }
    }
}
