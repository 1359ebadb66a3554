public import Dionysus

/// A part of a document that a test expects, whatever else the document has.
///
///     try PartialMatch(["name": "Loft", "rooms": [["beds": 2]]]).find(in: payloads)
///
/// Objects have to have the expected members and may have others, further in as well. Lists have to have as many elements as
/// are expected, in their order. Numbers are equal by their value.
public struct PartialMatch: Sendable {
    /// What is expected.
    package let expected: JSON

    /// Creates a match.
    /// - Parameter expected: What is expected.
    public init(_ expected: JSON) { self.expected = expected }

    /// What a document lacks.
    /// - Parameter document: The document.
    /// - Returns: A line for each difference, with its path; none if the document matches.
    public func differences(from document: JSON) -> [String] {
        Self.differences(expected, document, path: "")
    }

    /// Finds a document that matches.
    /// - Parameter documents: The documents.
    /// - Returns: The place of the first one.
    /// - Throws: ``ExpectationFailure`` with what the closest document lacks.
    @discardableResult
    public func find(in documents: [JSON]) throws -> Int {
        var closest: (place: Int, differences: [String])?
        for (place, document) in documents.enumerated() {
            let found = differences(from: document)
            if found.isEmpty { return place }
            if found.count < closest?.differences.count ?? .max { closest = (place, found) }
        }
        guard let closest else {
            throw ExpectationFailure(expected: "\(expected.text) to be sent", actual: "nothing was")
        }
        let list = closest.differences.map { "\n  \($0)" }.joined()
        throw ExpectationFailure(
            expected: "\(expected.text) to be sent",
            actual: "the closest of \(documents.count), \(documents[closest.place].text), differs:\(list)"
        )
    }

    private static func differences(_ expected: JSON, _ actual: JSON, path: String) -> [String] {
        let place = path.isEmpty ? "the whole" : path
        switch (expected, actual) {
        case (.object(let wanted), .object(let found)):
            return wanted.members.flatMap { member -> [String] in
                let inner = path.isEmpty ? member.name : "\(path).\(member.name)"
                guard let value = found[member.name] else { return ["\(inner): \(member.value.text) is missing"] }
                return differences(member.value, value, path: inner)
            }
        case (.array(let wanted), .array(let found)):
            guard wanted.count == found.count else {
                return ["\(place): \(wanted.count) elements are expected, and there are \(found.count)"]
            }
            return zip(wanted, found).enumerated()
                .flatMap { differences($1.0, $1.1, path: "\(path)[\($0)]") }
        default:
            if expected == actual || isSameNumber(expected, actual) { return [] }
            return ["\(place): \(expected.text) is expected, and it is \(actual.text)"]
        }
    }

    private static func isSameNumber(_ left: JSON, _ right: JSON) -> Bool {
        guard let left = number(left), let right = number(right) else { return false }
        return left == right
    }

    private static func number(_ value: JSON) -> ExactDecimal? {
        switch value {
        case .integer(let integer): ExactDecimal(integer)
        case .number(let digits): ExactDecimal(digits)
        default: nil
        }
    }
}

extension ReplicationTest {
    /// Expects a topic to have a message with these attributes, whatever others it has.
    ///
    ///     try test.expectSent(["name": "Loft"], in: "v3_rentals")
    /// - Parameters:
    ///   - attributes: What its payload has to have; see ``PartialMatch``.
    ///   - topic: The topic's full name.
    ///   - key: The message's key; nil for any.
    /// - Returns: The first such message.
    /// - Throws: ``ExpectationFailure`` with what the closest message lacks.
    @discardableResult
    public func expectSent(_ attributes: JSON, in topic: String, key: String? = nil) throws -> TopicMessage {
        let candidates = messages(in: topic).filter { key == nil || $0.keyText == key }
        return candidates[try PartialMatch(attributes).find(in: candidates.map { $0.payload ?? .null })]
    }
}
