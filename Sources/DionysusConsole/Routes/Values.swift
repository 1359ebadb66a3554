import Dionysus

/// Names and values of a query, a form or a JSON object; a name may have several values.
struct Values: Sendable, Hashable {
    private(set) var pairs: [(name: String, value: String)]

    init(_ pairs: [(name: String, value: String)] = []) { self.pairs = pairs }

    /// Reads `a=1&b=2`.
    /// - Returns: Nil if something isn't UTF-8 or there is too much.
    init?(encoded text: some StringProtocol) {
        let parts = Substring(text).split(separator: "&")
        guard parts.count <= 5_000 else { return nil }
        pairs = []
        for part in parts {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Link.decoded(sides[0], plusIsBlank: true),
                let value = Link.decoded(sides.count > 1 ? sides[1] : "", plusIsBlank: true)
            else { return nil }
            pairs.append((name, value))
        }
    }

    /// Reads an object whose values are texts, numbers, truths, or lists of them.
    init?(json: JSON) {
        guard case .object(let object) = json else { return nil }
        pairs = []
        func text(_ value: JSON) -> String? {
            switch value {
            case .string(let text): text
            case .null: ""
            case .bool, .integer, .number: value.text
            case .array, .object: nil
            }
        }
        for member in object.members {
            if case .array(let elements) = member.value {
                // A payload may be a list, so that it is kept whole as well.
                for element in elements { pairs.append((member.name, text(element) ?? element.text)) }
            } else {
                pairs.append((member.name, text(member.value) ?? member.value.text))
            }
        }
    }

    /// The first value of a name that isn't empty.
    subscript(name: String) -> String? { pairs.first { $0.name == name && !$0.value.isEmpty }?.value }

    func all(_ name: String) -> [String] { pairs.filter { $0.name == name }.map(\.value) }

    func isOn(_ name: String) -> Bool { ["1", "true", "on", "yes"].contains(self[name] ?? "") }

    /// The same with other values for some names; nil leaves one out.
    func with(_ changes: [(String, String?)]) -> Values {
        let names = Set(changes.map(\.0))
        let added = changes.compactMap { name, value in value.map { (name: name, value: $0) } }
        return Values(pairs.filter { !names.contains($0.name) } + added)
    }

    /// The values as a query.
    var encoded: String {
        pairs.filter { !$0.value.isEmpty }.map { "\(Link.encoded($0.name))=\(Link.encoded($0.value))" }
            .joined(separator: "&")
    }

    static func == (left: Values, right: Values) -> Bool { left.encoded == right.encoded }

    func hash(into hasher: inout Hasher) { hasher.combine(encoded) }
}

extension Values {
    /// A whole number.
    /// - Throws: `malformed` for anything else.
    func integer(_ name: String, in range: ClosedRange<Int64> = 0...Int64.max) throws -> Int64? {
        guard let text = self[name] else { return nil }
        guard let value = Int64(text), range.contains(value) else {
            let limit =
                range.upperBound == .max
                ? "at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
            throw DionysusError(.malformed, "\(name) must be a whole number \(limit)")
        }
        return value
    }

    /// A time.
    /// - Throws: `malformed` for anything else.
    func time(_ name: String) throws -> Timestamp? {
        guard let text = self[name] else { return nil }
        guard let time = Timestamp(text) ?? Timestamp(text + ":00Z") ?? Timestamp(text + "T00:00:00Z") else {
            throw DionysusError(.malformed, "\(name) must be a time such as 2026-01-31T12:00:00Z")
        }
        return time
    }

    /// One of several words.
    /// - Throws: `malformed` for anything else.
    func choice<Choice: RawRepresentable & CaseIterable>(_ name: String, of: Choice.Type) throws -> Choice?
    where Choice.RawValue == String {
        guard let text = self[name] else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let words = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw DionysusError(.malformed, "\(name) must be one of \(words)")
        }
        return choice
    }

    func required(_ name: String) throws -> String {
        guard let value = self[name] else { throw DionysusError(.malformed, "\(name) is missing") }
        return value
    }
}
