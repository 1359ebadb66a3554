import Dionysus
import Foundation
import Yams

/// Reads a file's YAML, whatever is in it, within limits of size, depth and number of values.
struct NodeReader {
    static let maximumSize = 1 << 20
    private static let maximumDepth = 24
    private static let maximumCount = 50_000

    let environment: [String: String]
    /// Whether variables without a value are faults; values that need none are left out otherwise.
    let needsVariables: Bool
    let faults: FileFaults

    private final class Counter { var count = 0 }
    private let counter = Counter()

    init(environment: [String: String], needsVariables: Bool, faults: FileFaults) {
        self.environment = environment
        self.needsVariables = needsVariables
        self.faults = faults
    }

    /// The file's only document; nil, and a fault, if it can't be read.
    func read(_ data: Data) -> FileNode? {
        let start = Place(line: 1, column: 1)
        guard data.count <= Self.maximumSize else {
            faults.add(start, "the file has more than \(Self.maximumSize >> 20) MiB")
            return nil
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            faults.add(start, "the file isn't UTF-8 text")
            return nil
        }
        if let place = Self.alias(in: text) {
            faults.add(place, "anchors and aliases (&name, *name) are not read; write the value out")
            return nil
        }
        do {
            guard let root = try Parser(yaml: text, encoding: .utf8).singleRoot() else {
                faults.add(start, "the file is empty")
                return nil
            }
            return node(root, depth: 0)
        } catch let error as YamlError {
            report(error)
        } catch {
            faults.add(start, "the file isn't YAML")
        }
        return nil
    }

    /// The first alias of a text that has anchors too.
    ///
    /// A few hundred bytes of them stand for more values than any memory holds, so they are looked for before the text is
    /// parsed. Texts inside the file that look like both are taken for them.
    private static func alias(in text: String) -> Place? {
        func matches(_ sign: UInt8) -> [Int] {
            let bytes = Array(text.utf8)
            return bytes.indices.filter { index in
                guard bytes[index] == sign, index + 1 < bytes.count, isNamed(bytes[index + 1]) else { return false }
                return index == 0 || " \t\n\r[{,".utf8.contains(bytes[index - 1])
            }
        }
        func isNamed(_ byte: UInt8) -> Bool {
            byte >= 0x80 || byte == 0x5F || byte == 0x2D || (0x30...0x39).contains(byte)
                || (0x41...0x5A).contains(byte & 0xDF)
        }
        guard !matches(UInt8(ascii: "&")).isEmpty, let first = matches(UInt8(ascii: "*")).first else { return nil }
        let before = text.utf8.prefix(first)
        let line = before.count { $0 == UInt8(ascii: "\n") } + 1
        let column = before.reversed().prefix { $0 != UInt8(ascii: "\n") }.count + 1
        return Place(line: line, column: column)
    }

    private func node(_ node: Node, depth: Int) -> FileNode? {
        let place = Place(node.mark)
        counter.count += 1
        guard depth <= Self.maximumDepth else {
            faults.add(place, "values are nested more than \(Self.maximumDepth) deep")
            return nil
        }
        guard counter.count <= Self.maximumCount else {
            if counter.count == Self.maximumCount + 1 {
                faults.add(place, "the file has more than \(Self.maximumCount) values")
            }
            return nil
        }
        switch node {
        case .scalar(let scalar): return FileNode(place: place, content: content(of: scalar, at: place))
        case .sequence(let items):
            return FileNode(place: place, content: .list(items.compactMap { self.node($0, depth: depth + 1) }))
        case .mapping(let pairs):
            let entries = pairs.compactMap { key, value -> FileNode.Entry? in
                let place = Place(key.mark)
                guard case .scalar(let name) = key else {
                    faults.add(place, "a key must be a name")
                    return nil
                }
                guard let value = self.node(value, depth: depth + 1) else { return nil }
                return FileNode.Entry(name: name.string, place: place, value: value)
            }
            return FileNode(place: place, content: .map(entries))
        case .alias: return nil
        }
    }

    private func content(of scalar: Node.Scalar, at place: Place) -> FileNode.Content {
        guard scalar.style == .plain else { return expanded(scalar.string, at: place) }
        if ["", "~", "null"].contains(scalar.string) { return .null }
        return expanded(scalar.string, at: place)
    }

    // MARK: Variables

    /// A text with `${NAME}` and `${NAME:-default}` replaced; `$${` stands for `${`.
    private func expanded(_ text: String, at place: Place) -> FileNode.Content {
        guard text.contains("${") else { return .text(text) }
        var result = ""
        var rest = text[...]
        while let start = rest.range(of: "${") {
            result += rest[..<start.lowerBound]
            rest = rest[start.upperBound...]
            if result.last == "$" {
                result.removeLast()
                result += "${"
                continue
            }
            guard let end = rest.firstIndex(of: "}") else {
                faults.add(place, "a variable is ${NAME} or ${NAME:-default}, and this one has no end")
                return .unset
            }
            guard let value = value(of: rest[..<end], at: place) else { return .unset }
            result += value
            rest = rest[rest.index(after: end)...]
        }
        return .text(result + rest)
    }

    private func value(of variable: Substring, at place: Place) -> String? {
        let separator = variable.range(of: ":-")
        let name = variable[..<(separator?.lowerBound ?? variable.endIndex)]
        guard name.wholeMatch(of: /[A-Za-z_][A-Za-z0-9_]*/) != nil else {
            faults.add(place, "a variable is ${NAME} or ${NAME:-default}, with letters, digits and _ in its name")
            return nil
        }
        // As a shell has it: what is empty has the default.
        if let value = environment[String(name)], !value.isEmpty {
            faults.hide(value, of: String(name))
            return value
        }
        if let separator { return String(variable[separator.upperBound...]) }
        if needsVariables {
            faults.add(place, "the variable \(name) is not set; set it, or give it a default: ${\(name):-…}")
        }
        return nil
    }

    // MARK: Faults of YAML

    private func report(_ error: YamlError) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            faults.add(Place(mark), problem)
        case .duplicatedKeysInMapping(let keys, let context):
            faults.add(Place(context.mark), "written twice: \(keys.map { $0.printable() }.joined(separator: ", "))")
        case .reader(let problem, _, _, _): faults.add(Place(line: 1, column: 1), problem)
        default: faults.add(Place(line: 1, column: 1), "the file isn't YAML")
        }
    }
}

extension Place {
    fileprivate init(_ mark: Mark?) { self.init(line: max(mark?.line ?? 1, 1), column: max(mark?.column ?? 1, 1)) }
}
