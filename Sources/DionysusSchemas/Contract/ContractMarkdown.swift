extension Contract {
    /// The contract as a page for people, a table for each model.
    package var markdown: String {
        let topics = topics.map { topic in
            let spread = topic.partitionKey.description
            let head = "## `\(topic.name)`\n\nEncoding `\(topic.encoding)`, partitioned by \(spread).\n\n"
            return head + topic.models.map { $0.markdown(level: "###", in: topic) }.joined(separator: "\n")
        }
        return "# Contract\n\n" + (topics.isEmpty ? "Nothing is published.\n" : topics.joined(separator: "\n"))
    }
}

extension Contract.Model {
    fileprivate func markdown(level: String, in topic: Contract.Topic) -> String {
        var text = "\(level) \(name)\n\n"
        text += "Message key `\(name):\(key.name.uppercased())`, of type `\(key.type)`."
        if let partitionKey { text += " Partitioned by \(partitionKey)." }
        text += "\n\n" + table
        if !links.isEmpty {
            text += "\n| link | leads to |\n|---|---|\n"
            text += links.map { "| `\($0.name)` | \($0.target) |\n" }.joined()
        }
        if !events.isEmpty {
            text += "\n| event | version | data |\n|---|---|---|\n" + events.map(\.row).joined()
        }
        for part in parts { text += "\n" + part.markdown(level: level + "#", in: topic) }
        return text
    }

    private var table: String {
        "| attribute | type | |\n|---|---|---|\n"
            + attributes.map { attribute in
                let notes = attribute.value.notes.joined(separator: "; ")
                return "| `\(attribute.name)` | `\(attribute.value.typeName)` | \(notes) |\n"
            }
            .joined()
    }
}

extension Contract.Event {
    fileprivate var row: String {
        let members = attributes.map { list in
            list.map { "`\($0.name)`: \($0.value.typeName)\($0.value.isNullable ? ", nullable" : "")" }
                .joined(separator: "; ")
        }
        return "| `\(name)` | \(version) | \(members ?? "any object") |\n"
    }
}

extension Contract.Link {
    fileprivate var target: String {
        let names = models.map { "`\($0)`" }.joined(separator: " or ")
        return (isToMany ? "many" : "one") + (names.isEmpty ? "" : " \(names)")
    }
}

extension ContractValue {
    /// The type in a word: `array of string`.
    package var typeName: String { element.map { "\(type) of \($0.typeName)" } ?? type.rawValue }

    fileprivate var notes: [String] {
        var notes = isNullable ? ["nullable"] : []
        if let scale { notes.append("\(scale) digits behind the point") }
        if let values { notes.append("one of " + values.map { "`\($0.text)`" }.joined(separator: ", ")) }
        return notes
    }
}
