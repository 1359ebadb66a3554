import Dionysus

/// A place in a file, counted from one.
struct Place: Sendable, Hashable, Comparable {
    let line: Int
    let column: Int

    static func < (lhs: Place, rhs: Place) -> Bool { (lhs.line, lhs.column) < (rhs.line, rhs.column) }
}

/// The mistakes in a file, collected while it is read.
///
/// It is used only within one call on one thread.
final class FileFaults {
    private let file: String
    private var faults: [(place: Place, text: String)] = []
    /// The values of variables, which may be secrets.
    private(set) var hidden: [HiddenValue]

    /// A value, and the variable that is shown in its place.
    struct HiddenValue: Sendable {
        let value: String
        let name: String
    }

    init(file: String, hiding hidden: [HiddenValue] = []) {
        self.file = file
        self.hidden = hidden
    }

    /// Whether a mistake has been found in a part of the file, so that what refers to it may be right.
    func touch(_ entry: FileNode.Entry) -> Bool {
        touch(entry.value) || faults.contains { $0.place == entry.place }
    }

    /// Whether a mistake has been found in a value.
    func touch(_ node: FileNode?) -> Bool {
        guard let node, !faults.isEmpty else { return false }
        return faults.contains { $0.place == node.place } || node.entries.contains(where: touch)
            || node.items.contains { touch($0) }
    }

    /// Whether a key that isn't there may be one of those with mistakes.
    func mayBe(_ missing: String, in node: FileNode?) -> Bool {
        guard let node, !node.entries.contains(where: { $0.name == missing }) else { return false }
        return node.entries.contains { entry in faults.contains { $0.place == entry.place } }
    }

    var isEmpty: Bool { faults.isEmpty }

    /// Adds a mistake; a place has one, the first that is found.
    func add(_ place: Place, _ text: String) {
        guard !faults.contains(where: { $0.place == place }) else { return }
        faults.append((place, hidden.reduce(text) { $0.replacing($1.value, with: "${\($1.name)}") }))
    }

    /// Keeps the value of a variable out of messages.
    func hide(_ value: String, of name: String) {
        if value.count > 2 { hidden.append(HiddenValue(value: value.printable(), name: name)) }
    }

    /// Throws what was found, in the order of the file.
    func check() throws {
        guard !faults.isEmpty else { return }
        let shown = faults.sorted { $0.place < $1.place }.prefix(100)
        var lines = shown.map { "\(file):\($0.place.line):\($0.place.column): \($0.text)" }
        if faults.count > shown.count { lines.append("and \(faults.count - shown.count) more") }
        throw DionysusError(.declaration, lines.joined(separator: "\n"))
    }
}
