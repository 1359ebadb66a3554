/// The reference page's tables, made from the keys that the parser accepts.
package enum FileReference {
    /// A section for each part of the file.
    package static var markdown: String {
        var tables: [KeyTable] = []
        collect(.keys(FileKeys.file), into: &tables)
        return tables.map(section).joined(separator: "\n\n")
    }

    private static func collect(_ shape: Shape, into tables: inout [KeyTable]) {
        switch shape {
        case .keys(let table):
            guard !tables.contains(where: { $0.title == table.title }) else { return }
            tables.append(table)
            for key in table.keys { collect(key.shape, into: &tables) }
        case .list(let shape), .named(_, let shape): collect(shape, into: &tables)
        case .either(let shapes): for shape in shapes { collect(shape, into: &tables) }
        case .text, .integer, .flag, .choice, .duration: break
        }
    }

    private static func section(_ table: KeyTable) -> String {
        let rows = table.keys.map { key in
            "| `\(key.name)`\(key.isRequired ? " (required)" : "") | \(key.shape.reference) | \(key.summary) |"
        }
        return (["### \(table.title)", "", "| key | value | meaning |", "|---|---|---|"] + rows).joined(separator: "\n")
    }
}

extension Shape {
    /// What a value is, for the reference page.
    fileprivate var reference: String {
        switch self {
        case .list(let shape): "a list: \(shape.reference)"
        case .named(let what, let shape): "\(what), each \(shape.reference)"
        case .keys(let table): "[\(table.title)](#\(table.title.anchor))"
        case .either(let shapes): shapes.map(\.reference).joined(separator: ", or ")
        case .choice(let words): words.map { "`\($0)`" }.joined(separator: ", ")
        case .text, .integer, .flag, .duration: description
        }
    }
}

extension String {
    /// The anchor of a heading.
    fileprivate var anchor: String {
        lowercased().replacing(" ", with: "-").filter { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
    }
}
