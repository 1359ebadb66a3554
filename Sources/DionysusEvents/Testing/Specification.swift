/// An expectation of a specification that was not met.
///
/// It is thrown, so that any test framework shows it. It contains the events' data, because a test needs them.
public struct SpecificationFailure: Error, Sendable, CustomStringConvertible {
    public let description: String
}

/// What two lists of lines differ in, as a list with `-` for what is missing and `+` for what is too much.
enum LineDifference {
    static func text(expected: [String], actual: [String]) -> String? {
        guard expected != actual else { return nil }
        let difference = actual.difference(from: expected)
        var lines = expected.map { (mark: " ", line: $0) }
        for case .remove(let offset, let element, _) in difference.removals { lines[offset] = ("-", element) }
        // Insertions are offsets in the actual list, in which what is missing doesn't count.
        for case .insert(let offset, let element, _) in difference.insertions {
            var (index, place) = (0, 0)
            while place < lines.count, index < offset || lines[place].mark == "-" {
                if lines[place].mark != "-" { index += 1 }
                place += 1
            }
            lines.insert(("+", element), at: place)
        }
        return lines.map { "  \($0.mark) \($0.line)" }.joined(separator: "\n")
    }
}
