import Dionysus

/// A value of a file, and where it stands.
struct FileNode: Sendable {
    enum Content: Sendable {
        case null
        /// A variable that isn't set, where values are not needed.
        case unset
        case text(String)
        case list([FileNode])
        case map([Entry])
    }

    /// A key with its value.
    struct Entry: Sendable {
        let name: String
        let place: Place
        let value: FileNode
    }

    let place: Place
    let content: Content

    /// The value under a key; nil if there is none, or nothing in it.
    subscript(name: String) -> FileNode? {
        entries.first { $0.name == name }.flatMap { if case .null = $0.value.content { nil } else { $0.value } }
    }

    /// The keys with their values; none for what has no keys.
    var entries: [Entry] { if case .map(let entries) = content { entries } else { [] } }

    /// The elements; none for what isn't a list.
    var items: [FileNode] { if case .list(let items) = content { items } else { [] } }

    /// The text of a scalar.
    var text: String? { if case .text(let text) = content { text } else { nil } }

    var integer: Int? { text.flatMap { Int($0) } }

    var flag: Bool? { text.flatMap { Bool($0) } }

    /// What it is, for messages.
    var kind: String {
        switch content {
        case .null, .unset: "nothing"
        case .text: "a single value"
        case .list: "a list"
        case .map: "keys with values"
        }
    }
}
