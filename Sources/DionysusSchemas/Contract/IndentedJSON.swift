package import Dionysus

extension JSON {
    /// The document as text for people and for comparison by line: two spaces a level, a line for each member.
    ///
    /// Lists and objects that hold no others stand on one line.
    package var indentedText: String {
        var text = ""
        write(into: &text, indentation: "")
        return text
    }

    private var holdsOthers: Bool {
        switch self {
        case .array(let elements): elements.contains(where: \.isContainer)
        case .object(let object): object.members.contains { $0.value.isContainer }
        default: false
        }
    }

    private var isContainer: Bool {
        switch self {
        case .array(let elements): !elements.isEmpty
        case .object(let object): !object.members.isEmpty
        default: false
        }
    }

    private func write(into text: inout String, indentation: String) {
        switch self {
        case .array(let elements) where holdsOthers:
            let inner = indentation + "  "
            text += "[\n"
            for (index, element) in elements.enumerated() {
                text += inner
                element.write(into: &text, indentation: inner)
                text += index == elements.count - 1 ? "\n" : ",\n"
            }
            text += indentation + "]"
        case .object(let object) where holdsOthers:
            let inner = indentation + "  "
            text += "{\n"
            for (index, member) in object.members.enumerated() {
                text += inner + JSON.string(member.name).text + ": "
                member.value.write(into: &text, indentation: inner)
                text += index == object.members.count - 1 ? "\n" : ",\n"
            }
            text += indentation + "}"
        case .array(let elements):
            text += "[" + elements.map(\.text).joined(separator: ", ") + "]"
        case .object(let object):
            let members = object.members.map { "\(JSON.string($0.name).text): \($0.value.text)" }
            text += members.isEmpty ? "{}" : "{ " + members.joined(separator: ", ") + " }"
        default:
            text += self.text
        }
    }
}
