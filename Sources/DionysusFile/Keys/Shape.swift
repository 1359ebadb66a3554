/// What a value of the file may be.
indirect enum Shape: Sendable {
    case text
    case integer(ClosedRange<Int>)
    case flag
    /// One of these words.
    case choice([String])
    /// A time as `10s`, `5m`, `2h` or `30d`.
    case duration
    case list(Shape)
    /// Any names, each with a value; what the names are, for people.
    case named(String, Shape)
    /// Names of this table.
    case keys(KeyTable)
    /// A single value, a list or names with values, by which of them it is.
    case either([Shape])

    /// What it has to be, for messages.
    var description: String {
        switch self {
        case .text: "a text"
        case .integer(let range):
            range.upperBound == .max
                ? "a whole number from \(range.lowerBound) on"
                : "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .flag: "true or false"
        case .choice(let words): words.count == 1 ? words[0] : "one of \(words.joined(separator: ", "))"
        case .duration: "a time such as 500ms, 10s, 5m, 2h or 30d"
        case .list: "a list"
        case .named(let what, _): "\(what) with their values"
        case .keys(let table): "\(table.title): keys with values"
        case .either(let shapes): shapes.map(\.description).joined(separator: ", or ")
        }
    }
}

/// The keys that a part of the file may have.
struct KeyTable: Sendable {
    /// What the part is: `a topic`.
    let title: String
    let keys: [Key]

    init(_ title: String, _ keys: [Key]) {
        self.title = title
        self.keys = keys
    }

    subscript(name: String) -> Key? { keys.first { $0.name == name } }
}

/// One key of a part.
struct Key: Sendable {
    let name: String
    let shape: Shape
    var isRequired = false
    /// A sentence about it, for people and their editors.
    let summary: String

    init(_ name: String, _ shape: Shape, _ summary: String, isRequired: Bool = false) {
        self.name = name
        self.shape = shape
        self.summary = summary
        self.isRequired = isRequired
    }
}
