import Synchronization

/// An event for the rest of the application, or for other systems.
public protocol BusEvent: Sendable {
    /// The event's name: `dionysus.respond`.
    static var name: String { get }
}

/// Carries events from a service to whoever is interested.
///
/// ``InProcessEventBus`` is the one that is used unless another is given.
public protocol EventBus: Sendable {
    /// Whether somebody is interested in a kind of event; if not, none is made.
    func isObserved(_ event: any BusEvent.Type) -> Bool

    /// Tells those who are interested.
    ///
    /// The service that calls it waits until it returns.
    /// - Parameters:
    ///   - report: Called with each error, for the service's error handler. What was done is not undone by one.
    func publish(_ event: any BusEvent, reporting report: @Sendable (any Error) -> Void) async
}

extension EventBus {
    public func isObserved(_ event: any BusEvent.Type) -> Bool { true }
}

/// Calls subscribers in this process.
///
///     let bus = InProcessEventBus()
///     bus.subscribe(to: RespondEvent.self) { print("\($0.key) is at offset \($0.offset)") }
///
/// The subscribers of an event are called one after another. One that throws does not keep the others from being called.
public final class InProcessEventBus: EventBus {
    private typealias Handler = @Sendable (any BusEvent) async throws -> Void

    private let subscribers = Mutex<[String: [Handler]]>([:])

    /// Creates a bus without subscribers.
    public init() {}

    /// Subscribes to a kind of event.
    /// - Parameters:
    ///   - handler: Called with each event. What it throws goes to the error handler of the service.
    public func subscribe<Event: BusEvent>(
        to event: Event.Type,
        _ handler: @escaping @Sendable (Event) async throws -> Void
    ) {
        subscribers.withLock {
            $0[Event.name, default: []].append { if let event = $0 as? Event { try await handler(event) } }
        }
    }

    public func isObserved(_ event: any BusEvent.Type) -> Bool {
        subscribers.withLock { $0[event.name]?.isEmpty == false }
    }

    public func publish(_ event: any BusEvent, reporting report: @Sendable (any Error) -> Void) async {
        let handlers = subscribers.withLock { $0[type(of: event).name] ?? [] }
        for handler in handlers {
            do { try await handler(event) } catch { report(error) }
        }
    }
}
