/// Where a writer believes a stream to be.
public enum ExpectedPosition: Sendable, Hashable, CustomStringConvertible, ExpressibleByIntegerLiteral {
    /// Anywhere.
    case any
    /// The stream has no events.
    case none
    /// The stream has events.
    case exists
    /// The stream's last event has this position; 0 is the same as ``none``.
    case position(Int64)

    public init(integerLiteral value: Int64) { self = .position(value) }

    public var description: String {
        switch self {
        case .any: "any position"
        case .none, .position(0): "no event"
        case .exists: "at least one event"
        case .position(let position): "position \(position)"
        }
    }
}

/// The stream is not where its writer believed it to be.
public struct StreamConflict: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was found.
    public enum Found: Sendable, Hashable {
        /// The position of the last event; 0 if the stream has none.
        case position(Int64)
        /// Another writer has appended in the same moment.
        case concurrentWriter
        /// The stream has ended, at this position.
        case ended(Int64)
        /// Some of the events, but not all of them, have been appended before, or in another stream.
        case otherEvents
    }

    /// The stream.
    public let stream: StreamName
    /// Where it was expected to be.
    public let expected: ExpectedPosition
    /// What was found.
    public let found: Found

    /// Creates a conflict.
    /// - Parameters:
    ///   - stream: The stream.
    ///   - expected: Where it was expected to be.
    ///   - found: What was found.
    package init(stream: StreamName, expected: ExpectedPosition, found: Found) {
        self.stream = stream
        self.expected = expected
        self.found = found
    }

    public var description: String {
        let name = stream.description.shown
        switch found {
        case .position(0):
            return "conflict in stream \(name): expected \(expected), found no event"
        case .position(let position):
            return "conflict in stream \(name): expected \(expected), found position \(position)"
        case .concurrentWriter:
            return "conflict in stream \(name): expected \(expected), found another writer in the same moment: "
                + "roll the transaction back and try again"
        case .ended(let position):
            return "conflict in stream \(name): expected \(expected), found that it ended at position \(position)"
        case .otherEvents:
            return "conflict in stream \(name): expected new events, found some of their ids in use"
        }
    }
}
