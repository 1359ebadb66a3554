/// An expectation of a test that was not met.
///
/// It is thrown, so that any test framework shows it. It contains payloads, because a test needs them.
public struct ExpectationFailure: Error, Sendable, CustomStringConvertible {
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
