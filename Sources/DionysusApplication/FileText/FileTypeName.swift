package import Dionysus

/// How a file writes the types of columns.
package enum FileTypeName {
    /// The names of types; `[]` behind one makes it a list, and a question mark nullable.
    package static let all: [(name: String, kind: ValueKind)] = [
        ("bool", .bool), ("integer", .integer(bits: 64, isSigned: true)), ("double", .double), ("decimal", .decimal),
        ("text", .text), ("timestamp", .time), ("date", .date), ("uuid", .uuid), ("json", .document), ("bytes", .bytes),
    ]

    /// The type of a column; one that has no name is text.
    package static func text(_ kind: ValueKind, isOptional: Bool) -> String {
        let (element, suffix) =
            switch kind {
            case .list(let element, _): (element, "[]")
            default: (kind, "")
            }
        return (name(of: element) ?? "text") + suffix + (isOptional ? "?" : "")
    }

    /// The name of a type that is written alike, if there is one.
    static func name(of kind: ValueKind) -> String? {
        switch kind {
        case .integer: "integer"
        case .url: "text"
        case .list(let element, _): name(of: element).map { "\($0)[]" }
        default: all.first { $0.kind == kind }?.name
        }
    }
}
