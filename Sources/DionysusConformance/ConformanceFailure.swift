/// What a conformance check found to be different from what the port promises.
public struct ConformanceFailure: Error, Sendable, CustomStringConvertible {
    /// What should have happened.
    public var expected: String
    /// What happened instead.
    public var actual: String

    /// Creates a failure.
    public init(expected: String, actual: String) {
        self.expected = expected
        self.actual = actual
    }

    public var description: String { "expected \(expected), but \(actual)" }
}
