public import Dionysus
public import DionysusConsumer

/// What works with events in their transaction: a projector, or what runs a process manager.
public protocol EventFollower: Sendable {
    /// What knows the types of the events.
    var store: EventStore { get }

    /// Works with events that come in the order of their streams; those that it has handled before are left out.
    /// - Throws: What the work throws; ``/Dionysus/DionysusError`` with code `conflict` if an event of a stream is missing
    ///   before one of these.
    func handle(_ events: [RecordedEvent], in transaction: inout Transaction) throws
}

extension EventFollower {
    /// The same as the work of an ``EventReader``, or of the transaction that appends
    /// (``EventStore/handlingInline(_:)``).
    public var handler: EventStore.InlineHandler { { try handle($0, in: &$1) } }
}

/// Declares what follows the events that a consumer reads.
///
///     var models: Models { Follow(Projector(AdBoard(), store), ProcessRunner(Expiry(), store)) }
///
/// It works in the transaction that moves the partition's offset.
public struct Follow: ListElement, Sendable {
    public var element: ReplicaModel

    /// Declares it.
    /// - Parameter followers: What gets the events, one after another.
    public init(_ followers: any EventFollower...) {
        element =
            Persist(StreamEvent.modelName) { events, transaction in
                for follower in followers {
                    try follower.handle(try follower.store.received(events, in: &transaction), in: &transaction)
                }
            }
            .element
    }
}
