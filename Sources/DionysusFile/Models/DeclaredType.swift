import Dionysus

/// A type as the file writes it: `integer`, `text[]`, `timestamp?`.
struct DeclaredType {
    let kind: ValueKind
    let isOptional: Bool

    /// Reads a type; adds a fault if there is none of the name.
    init?(_ node: FileNode, _ faults: FileFaults) {
        guard var name = node.text else { return nil }
        isOptional = name.hasSuffix("?")
        if isOptional { name.removeLast() }
        let isList = name.hasSuffix("[]")
        if isList { name.removeLast(2) }
        guard let kind = FileKeys.types.first(where: { $0.name == name })?.kind else {
            let names = FileKeys.types.map(\.name)
            let suggestion = NearMiss.suggestion(for: name, among: names)
            faults.add(
                node.place,
                "there is no type \(name.printable())"
                    + (suggestion.isEmpty ? "; the types are \(names.joined(separator: ", "))" : suggestion)
            )
            return nil
        }
        self.kind = isList ? .list(kind, hasNulls: true) : kind
    }

    /// How a file writes the type of a column.
    static func text(_ kind: ValueKind, isOptional: Bool) -> String {
        let (element, suffix) =
            switch kind {
            case .list(let element, _): (element, "[]")
            default: (kind, "")
            }
        let name = FileKeys.types.first { $0.kind == element }?.name ?? "text"
        return name + suffix + (isOptional ? "?" : "")
    }
}
