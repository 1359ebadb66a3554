public import Dionysus

public import struct Foundation.UUID

/// What an event is to a process manager.
public enum ProcessRoute: Sendable, Hashable {
    /// It begins the process with this id; one that has begun goes on.
    case start(String)
    /// It goes on with the process with this id; if there is none, or it has ended, nothing happens.
    case proceed(String)
    /// It ends the process with this id, after it has been handled.
    case stop(String)
    /// It doesn't concern it.
    case ignore
}

/// Rules that lead from events to commands, over many streams and over time.
///
///     struct Expiry: ProcessManager {
///         let name = "expiry"
///         let initialState = ExpiryState()
///         func route(_ event: RecordedEvent) -> ProcessRoute {
///             switch event.event {
///             case is AdPublished: .start(event.stream.id)
///             case is AdRemoved: .stop(event.stream.id)
///             default: .ignore
///             }
///         }
///         func handle(_ event: RecordedEvent, _ state: inout ExpiryState, _ effects: inout ProcessEffects) {
///             effects.schedule("expire", at: event.createdAt + 30 * 86_400)
///         }
///         func handle(_ timer: ProcessTimer, _ state: inout ExpiryState, _ effects: inout ProcessEffects) {
///             effects.append(AdExpired(), to: StreamName("ad", timer.processID))
///         }
///     }
///
/// The functions only say what is to happen. It happens in the transaction that notes the event as handled, each effect
/// with an id that is derived from its cause: a process that is killed at any point does everything once.
public protocol ProcessManager<State>: Sendable {
    /// What it remembers of one process.
    associatedtype State: Codable & Sendable

    /// Its name, under which its processes are kept.
    var name: String { get }
    /// The state of a process that begins.
    var initialState: State { get }

    /// Says which process an event belongs to.
    func route(_ event: RecordedEvent) -> ProcessRoute

    /// Handles an event of a process.
    func handle(_ event: RecordedEvent, _ state: inout State, _ effects: inout ProcessEffects) throws

    /// Handles a timer that is due. Does nothing by default.
    func handle(_ timer: ProcessTimer, _ state: inout State, _ effects: inout ProcessEffects) throws
}

extension ProcessManager {
    public func handle(_ timer: ProcessTimer, _ state: inout State, _ effects: inout ProcessEffects) throws {}
}

/// A timer that a process has set.
public struct ProcessTimer: Sendable, Hashable {
    /// Its id.
    public let id: UUID
    /// The process that has set it.
    public let processID: String
    /// What it was set for.
    public let name: String
    /// When it was due.
    public let dueAt: Timestamp
    /// What it was given.
    public let data: JSON

    package init(id: UUID, processID: String, name: String, dueAt: Timestamp, data: JSON = .null) {
        self.id = id
        self.processID = processID
        self.name = name
        self.dueAt = dueAt
        self.data = data
    }
}
