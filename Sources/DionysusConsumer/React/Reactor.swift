import Dionysus

/// Publishes committed events to the event bus and the application.
struct Reactor: Sendable {
    let didConsume: @Sendable (ConsumedEvent) async throws -> Void
    let eventBus: any EventBus
    let telemetry: ConsumerTelemetry

    /// Publishes the events together, then each, in their order.
    ///
    /// An error is the application's and changes no data.
    func react(to applied: AppliedEvents) async {
        await telemetry.metrics.stage(.react) { await react(applied.withChanges().map { ConsumedEvent($0) }) }
    }

    private func react(_ events: [ConsumedEvent]) async {
        if let first = events.first, eventBus.isObserved(ConsumedBatch.self) {
            await publish(ConsumedBatch(source: first.source, events: events), first)
        }
        let isBusObserved = eventBus.isObserved(ConsumedEvent.self)
        for (index, event) in events.enumerated() {
            // The next batch is waiting to be written.
            if index.isMultiple(of: 64) { await Task.yield() }
            if isBusObserved { await publish(event, event) }
            do {
                try await didConsume(event)
            } catch {
                telemetry.reactionFailed(error, "react to \(event.name)", event.source, offset: event.offset)
            }
        }
    }

    private func publish(_ busEvent: any BusEvent, _ first: ConsumedEvent) async {
        await eventBus.publish(busEvent) { error in
            let activity = "tell a subscriber of \(type(of: busEvent).name)"
            telemetry.reactionFailed(error, activity, first.source, offset: first.offset)
        }
    }
}
