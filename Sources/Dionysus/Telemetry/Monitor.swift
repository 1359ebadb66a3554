import Synchronization

import struct Foundation.UUID

/// Something that a service did, for its observers.
public protocol MonitorEvent: Sendable {
    /// The event's name, for subscriptions: `outbox_producer.published`.
    static var name: String { get }
}

/// Delivers a service's monitor events to subscribers.
///
///     let monitor = Monitor()
///     monitor.subscribe(to: OutboxProducer.Published.self) { print("\($0.messages) messages to \($0.topic)") }
///     try monitor.subscribe(to: "outbox_producer.stopped") { _ in print("the relay has stopped") }
///
/// Subscribers are called one after another on the task that does the work, so they should return soon. An event
/// without subscribers is not even created.
public final class Monitor: Sendable {
    /// A token that ends a subscription.
    public struct Subscription: Sendable, Hashable {
        fileprivate let id = UUID()
        fileprivate let name: String
    }

    private typealias Handler = @Sendable (any MonitorEvent) -> Void

    private let subscribers = Mutex<[String: [(subscription: Subscription, handler: Handler)]]>([:])

    /// Creates a monitor without subscribers.
    public init() {}

    /// The names of all events, in alphabetical order.
    package static let eventNames: [String] = (OutboxProducer.events + ReplicaConsumer.events + EventCheckpoint.events)
        .map { $0.name }.sorted()

    /// Subscribes to a kind of event.
    /// - Parameters:
    ///   - event: The type of the events.
    ///   - handler: Called with each event.
    /// - Returns: A token to end the subscription.
    @discardableResult
    public func subscribe<Event: MonitorEvent>(
        to event: Event.Type,
        _ handler: @escaping @Sendable (Event) -> Void
    ) -> Subscription {
        add(Event.name) { if let event = $0 as? Event { handler(event) } }
    }

    /// Subscribes to a kind of event by its name.
    /// - Parameters:
    ///   - name: The name: `outbox_producer.published`.
    ///   - handler: Called with each event.
    /// - Returns: A token to end the subscription.
    /// - Throws: ``DionysusError`` with code `notFound` for an unknown name; the message lists the existing ones.
    @discardableResult
    public func subscribe(
        to name: String,
        _ handler: @escaping @Sendable (any MonitorEvent) -> Void
    ) throws -> Subscription {
        guard Self.eventNames.contains(name) else {
            throw DionysusError(
                .notFound,
                "there is no monitor event \(name)",
                advice: "subscribe to one of \(Self.eventNames.joined(separator: ", "))"
            )
        }
        return add(name, handler)
    }

    /// Ends a subscription.
    public func cancel(_ subscription: Subscription) {
        subscribers.withLock { $0[subscription.name]?.removeAll { $0.subscription == subscription } }
    }

    /// Delivers an event to its subscribers.
    package func emit<Event: MonitorEvent>(_ event: @autoclosure () -> Event) {
        let handlers = subscribers.withLock { $0[Event.name]?.map(\.handler) ?? [] }
        guard !handlers.isEmpty else { return }
        let event = event()
        for handler in handlers { handler(event) }
    }

    /// Whether a kind of event has subscribers, so that its data is worth collecting.
    package func isObserved<Event: MonitorEvent>(_ event: Event.Type) -> Bool {
        subscribers.withLock { $0[Event.name]?.isEmpty == false }
    }

    private func add(_ name: String, _ handler: @escaping Handler) -> Subscription {
        let subscription = Subscription(name: name)
        subscribers.withLock { $0[name, default: []].append((subscription, handler)) }
        return subscription
    }
}
