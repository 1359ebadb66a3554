/// Is told that a service lives and how it is, so that somebody outside can ask.
public protocol Heartbeat: Sendable {
    /// Takes note of how the service is.
    ///
    /// It is called often, must return soon and never fails.
    func record(_ vital: VitalSign)
}

/// How a service is at a moment.
public struct VitalSign: Sendable, Hashable {
    /// Where a service is in its life.
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// It prepares its work.
        case starting
        /// It works.
        case ready
        /// It finishes what is under way.
        case stopping
        /// It has ended.
        case stopped
    }

    /// Where the service is in its life.
    public var state: State
    /// What keeps it from doing its work, if something does.
    public var problem: String?
    /// Whether the service still gets on, if only in trying again; false if it is stuck.
    public var madeProgress: Bool

    /// Creates a sign of life.
    /// - Parameters:
    ///   - madeProgress: Whether it still gets on.
    public init(_ state: State, problem: String? = nil, madeProgress: Bool = true) {
        self.state = state
        self.problem = problem
        self.madeProgress = madeProgress
    }
}
