/// A deviation from the port's requirements that a check found.
public struct ConformanceFailure: Error, Sendable, CustomStringConvertible {
    /// What should have happened.
    package var expected: String
    /// What happened instead.
    package var actual: String

    /// Creates a failure.
    package init(expected: String, actual: String) {
        self.expected = expected
        self.actual = actual
    }

    public var description: String { "expected \(expected), but \(actual)" }
}
