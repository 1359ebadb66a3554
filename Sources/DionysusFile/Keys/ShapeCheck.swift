import Dionysus

extension Shape {
    /// Adds a fault for everything in a value that isn't as it has to be.
    func check(_ node: FileNode, _ faults: FileFaults) {
        switch (self, node.content) {
        case (_, .unset): return
        case (.keys(let table), .null) where !table.keys.contains(where: \.isRequired): return
        case (.named, .null), (.list, .null): return
        case (.text, .text): return
        case (.integer(let range), .text(let text)):
            if let number = Int(text), range.contains(number) { return }
        case (.flag, .text(let text)): if Bool(text) != nil { return }
        case (.duration, .text(let text)): if Duration(file: text) != nil { return }
        case (.choice(let words), .text(let text)):
            if words.contains(text) { return }
        case (.list(let shape), .list(let items)):
            for item in items { shape.check(item, faults) }
            return
        case (.named(_, let shape), .map(let entries)):
            for entry in entries { shape.check(entry.value.placed(at: entry.place), faults) }
            return
        case (.keys(let table), .map(let entries)):
            table.check(entries, at: node.place, faults)
            return
        case (.either(let shapes), _):
            let fitting = shapes.filter { $0.fits(node) }
            let meant =
                fitting.first { $0.hasRequiredKeys(of: node) { $0 == $1 } }
                ?? fitting.first { $0.hasRequiredKeys(of: node) { !NearMiss.suggestion(for: $0, among: [$1]).isEmpty } }
            if let shape = meant ?? fitting.first { return shape.check(node, faults) }
        default: break
        }
        if let text = node.text {
            faults.add(node.place, "must be \(description)\(NearMiss.suggestion(for: text, among: words))")
        } else {
            faults.add(node.place, "must be \(description), and is \(node.kind)")
        }
    }

    /// The words that a value may be.
    private var words: [String] {
        switch self {
        case .choice(let words): words
        case .either(let shapes): shapes.flatMap(\.words)
        default: []
        }
    }

    /// Whether a value has the keys that tell this apart from other keys with values.
    /// - Parameter isMeant: Whether a name in the file is meant to be a key's.
    private func hasRequiredKeys(of node: FileNode, _ isMeant: (String, String) -> Bool) -> Bool {
        guard case .keys(let table) = self, case .map(let entries) = node.content else { return true }
        return table.keys.allSatisfy { key in !key.isRequired || entries.contains { isMeant($0.name, key.name) } }
    }

    /// Whether a value is of the kind that this is about, right or wrong.
    private func fits(_ node: FileNode) -> Bool {
        switch (self, node.content) {
        case (.list, .list), (.named, .map), (.keys, .map), (.text, .text), (.duration, .text): true
        case (.keys, .null): true
        case (.integer, .text(let text)): Int(text) != nil
        case (.flag, .text(let text)): Bool(text) != nil
        case (.choice(let words), .text(let text)): words.contains(text)
        default: false
        }
    }
}

extension FileNode {
    /// The value, in the place of its key if it is empty, because then it has none of its own.
    fileprivate func placed(at place: Place) -> FileNode {
        guard case .null = content else { return self }
        return FileNode(place: place, content: content)
    }
}

extension KeyTable {
    fileprivate func check(_ entries: [FileNode.Entry], at place: Place, _ faults: FileFaults) {
        for entry in entries {
            if let key = self[entry.name] {
                // A key without a value is as good as none.
                if case .null = entry.value.content, !key.isRequired { continue }
                key.shape.check(entry.value.placed(at: entry.place), faults)
            } else {
                let suggestion = NearMiss.suggestion(for: entry.name, among: keys.map(\.name))
                let known =
                    suggestion.isEmpty ? "; the keys are \(keys.map(\.name).joined(separator: ", "))" : suggestion
                faults.add(entry.place, "\(title) has no key \(entry.name.printable())\(known)")
            }
        }
        let missing = keys.filter { key in key.isRequired && !entries.contains { $0.name == key.name } }
        // A misspelled key is reported as that.
        guard !missing.isEmpty, entries.allSatisfy({ self[$0.name] != nil }) else { return }
        faults.add(place, "\(title) lacks \(missing.map(\.name).joined(separator: ", "))")
    }
}

extension Duration {
    /// Reads a time as the file has it: `500ms`, `10s`, `5m`, `2h`, `30d`.
    init?(file text: String) {
        guard let match = text.wholeMatch(of: /([0-9]{1,9})(ms|s|m|h|d)/), let number = Int64(match.1) else {
            return nil
        }
        switch match.2 {
        case "ms": self = .milliseconds(number)
        case "s": self = .seconds(number)
        case "m": self = .seconds(number * 60)
        case "h": self = .seconds(number * 3_600)
        default: self = .seconds(number * 86_400)
        }
    }
}
