import Dionysus
import Logging

/// Publishes events on the application's event bus; what subscribers throw goes to the error handler.
struct EventAnnouncer: Sendable {
    private let instrumentation: Instrumentation
    private let errorHandler: any ErrorHandler

    init(_ instrumentation: Instrumentation, logger: Logger) {
        self.instrumentation = instrumentation
        errorHandler = instrumentation.errorHandler(logger: logger)
    }

    /// Whether anybody wants events of a kind.
    func isObserved(_ event: any BusEvent.Type) -> Bool { instrumentation.eventBus.isObserved(event) }

    func announce(_ event: any BusEvent) async { await instrumentation.publish(event, to: errorHandler) }

    /// Announces the messages of rows all of whose messages the broker has acknowledged.
    func announce(_ slice: MessageSlice) async {
        guard isObserved(RespondEvent.self) else { return }
        for (row, verdict) in zip(slice.rows, slice.verdicts) {
            guard case .send(let places, let name) = verdict else { continue }
            let acknowledgements = slice.results[places].compactMap { try? $0.get() }
            guard acknowledgements.count == places.count else { continue }
            let event = RespondEvent.Event(name: name.description, model: row.resourceClass, ids: [row.resourceID])
            for (place, acknowledgement) in zip(places, acknowledgements) {
                await announce(
                    RespondEvent(
                        slice.messages[place],
                        events: [event],
                        partitionKey: row.partitionKey,
                        acknowledgement
                    )
                )
            }
        }
    }
}
