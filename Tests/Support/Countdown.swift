import Synchronization

/// A countdown.
public final class Countdown: Sendable {
    private let rest: Mutex<Int>

    /// Creates a countdown.
    /// - Parameter count: The number of times that ``next()`` returns true.
    public init(_ count: Int) { rest = Mutex(count) }

    /// Whether it had not reached zero yet.
    public func next() -> Bool {
        rest.withLock { rest in
            guard rest > 0 else { return false }
            rest -= 1
            return true
        }
    }
}
