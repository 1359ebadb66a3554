import Dionysus

/// Hides the values of members that nobody should see.
struct Mask: Sendable {
    /// What stands for a hidden value.
    static let hidden = "•••"

    /// The names of members and columns.
    let members: Set<String>

    var isEmpty: Bool { members.isEmpty }

    /// A document with hidden values.
    func applied(to json: JSON) -> JSON {
        guard !members.isEmpty else { return json }
        switch json {
        case .array(let elements): return .array(elements.map(applied))
        case .object(let object):
            return .object(
                JSON.Object(
                    object.members.map { member in
                        let isHidden = members.contains(member.name) && member.value != .null
                        return .init(member.name, isHidden ? .string(Self.hidden) : applied(to: member.value))
                    }
                )
            )
        default: return json
        }
    }

    /// The value of a column or a header.
    func applied(to text: String?, of name: String) -> String? { applied(to: text, of: [name]) }

    /// The value of a column that messages may know by other names, and that may hold a document.
    func applied(to text: String?, of names: [String]) -> String? {
        guard let text, !members.isEmpty else { return text }
        if names.contains(where: { members.contains($0) }) { return Self.hidden }
        guard let first = text.first(where: { !$0.isWhitespace }), first == "{" || first == "[" else { return text }
        // What can't be read can't be masked.
        guard let document = try? JSON(parsing: Array(text.utf8)) else { return Self.hidden }
        let masked = applied(to: document)
        return masked == document ? text : masked.text
    }

    /// Puts hidden values of an original back into an edited document, so that nobody writes the dots.
    func restored(_ edited: JSON, from original: JSON) -> JSON {
        guard !members.isEmpty else { return edited }
        switch (edited, original) {
        case (.object(let object), .object(let old)):
            return .object(
                JSON.Object(
                    object.members.map { member in
                        guard let value = old[member.name] else { return member }
                        let isHidden = members.contains(member.name) && member.value == .string(Self.hidden)
                        return .init(member.name, isHidden ? value : restored(member.value, from: value))
                    }
                )
            )
        case (.array(let elements), .array(let old)):
            return .array(
                elements.enumerated()
                    .map { index, element in
                        index < old.count ? restored(element, from: old[index]) : element
                    }
            )
        default: return edited
        }
    }
}
