import Dionysus
import DionysusApplication

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
        guard let kind = FileTypeName.all.first(where: { $0.name == name })?.kind else {
            let names = FileTypeName.all.map(\.name)
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
}
