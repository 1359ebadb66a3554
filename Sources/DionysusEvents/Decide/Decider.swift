/// The rules of one kind of stream, without any database: what a command leads to, and what an event changes.
///
///     struct Ads: Decider {
///         let initialState = Ad()
///         func decide(_ command: AdCommand, _ ad: Ad) throws -> [any Event] {
///             switch command {
///             case .publish:
///                 guard ad.state == .draft else { throw Forbidden("only a draft can be published") }
///                 return [AdPublished()]
///             …
///         }
///         func evolve(_ ad: inout Ad, _ event: any Event) {
///             switch event {
///             case is AdPublished: ad.state = .published
///             …
///         }
///     }
///
/// Both functions may be called again for the same arguments, and must do nothing else.
public protocol Decider<Command, State>: Sendable {
    /// What can be asked for.
    associatedtype Command: Sendable
    /// What decisions depend on.
    associatedtype State: Sendable

    /// The state of a stream without events.
    var initialState: State { get }

    /// Decides what a command leads to.
    /// - Returns: The events; none if there is nothing to do.
    /// - Throws: Why the command is forbidden.
    func decide(_ command: Command, _ state: State) throws -> [any Event]

    /// Changes the state by an event. Events that the decider doesn't know change nothing.
    func evolve(_ state: inout State, _ event: any Event)
}
