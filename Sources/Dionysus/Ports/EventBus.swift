import Synchronization

/// An event for the rest of the application, or for other systems.
public protocol BusEvent: Sendable {
    /// The event's name: `dionysus.respond`.
    static var name: String { get }
}

/// Delivers a service's events to subscribers.
///
/// ``InProcessEventBus`` is the default.
public protocol EventBus: Sendable {
    /// Whether a kind of event has subscribers; if not, no event is created.
    func isObserved(_ event: any BusEvent.Type) -> Bool

    /// Delivers an event to its subscribers.
    ///
    /// The calling service waits until it returns.
    /// - Parameters:
    ///   - event: The event.
    ///   - report: Called with each error, for the service's error handler. An error undoes nothing.
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
/// An event's subscribers are called one after another. If one throws, the others are still called.
public final class InProcessEventBus: EventBus {
    private typealias Handler = @Sendable (any BusEvent) async throws -> Void

    private let subscribers = Mutex<[String: [Handler]]>([:])

    /// Creates a bus without subscribers.
    public init() {}

    /// Subscribes to a kind of event.
    /// - Parameters:
    ///   - event: The type of the events.
    ///   - handler: Called with each event. Errors that it throws go to the service's error handler.
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
