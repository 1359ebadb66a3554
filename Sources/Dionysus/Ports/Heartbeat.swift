/// Receives a service's signs of life, so that its health can be checked from outside.
public protocol Heartbeat: Sendable {
    /// Records the service's state.
    ///
    /// It is called often, must return soon and can't fail.
    func record(_ vital: VitalSign)
}

/// The state of a service at a point in time.
public struct VitalSign: Sendable, Hashable {
    /// The phase of a service's life.
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// The service prepares its work.
        case starting
        /// The service is working.
        case ready
        /// The service finishes its running work.
        case stopping
        /// The service has stopped.
        case stopped
    }

    /// The phase of the service's life.
    public var state: State
    /// The problem that prevents it from working, if any.
    public var problem: String?
    /// Whether the service makes progress, which includes retrying; false if it is stuck.
    public var madeProgress: Bool

    /// Creates a sign of life.
    /// - Parameters:
    ///   - state: The service's state.
    ///   - problem: What is wrong, in one sentence; nil if nothing is.
    ///   - madeProgress: Whether it makes progress.
    package init(_ state: State, problem: String? = nil, madeProgress: Bool = true) {
        self.state = state
        self.problem = problem
        self.madeProgress = madeProgress
    }
}
