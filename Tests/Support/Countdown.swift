import Synchronization

/// Counts down to its end.
public final class Countdown: Sendable {
    private let rest: Mutex<Int>

    /// Creates a countdown.
    /// - Parameter count: How often ``next()`` is true.
    public init(_ count: Int) { rest = Mutex(count) }

    /// Whether it had not come to its end.
    public func next() -> Bool {
        rest.withLock { rest in
            guard rest > 0 else { return false }
            rest -= 1
            return true
        }
    }
}
