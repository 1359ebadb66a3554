import Dionysus

import struct Foundation.UUID

/// How a model's records are distinguished: by one text each, however the database or a program writes it.
///
/// It is the text in message keys and payloads. A UUID is written in lower case, an integer without leading zeros, and
/// any other text as it is.
struct RecordKey: Sendable {
    private enum Kind: Sendable {
        case integer
        /// A type of the database's own.
        case uuid
        /// A UUID that the database keeps as text, in any spelling, or as bytes.
        case uuidText
        case text
    }

    private let kind: Kind
    /// Whether the database fills the text with blanks, which don't count: `char(5)`.
    private let isPadded: Bool
    /// Whether a column can hold other types than its own.
    private let isLoose: Bool
    /// The type by which rows are found.
    let type: DatabaseType

    /// - Parameters:
    ///   - type: The type by which rows are found.
    ///   - isUUID: Whether the model's property is a UUID.
    ///   - isPadded: Whether the database fills the text with blanks.
    ///   - isLoose: Whether the column can hold other types than its own.
    init(type: DatabaseType, isUUID: Bool, isPadded: Bool, isLoose: Bool) {
        self.type = type
        self.isPadded = isPadded
        self.isLoose = isLoose
        switch type {
        case .integer: kind = .integer
        case .uuid: kind = .uuid
        case .text where isUUID: kind = .uuidText
        case .bytes where isUUID && isLoose: kind = .uuidText
        default: kind = .text
        }
    }

    /// The text of the record that a text stands for.
    func canonical(_ text: String) -> String {
        switch kind {
        case .integer:
            guard let first = text.utf8.first, !(49...57).contains(first) else { return text }
            return Int64(text).map(String.init) ?? text
        case .uuid, .uuidText:
            return Self.isCanonicalUUID(text) ? text : UUID(uuidString: text)?.uuidString.lowercased() ?? text
        case .text:
            guard isPadded, text.utf8.last == UInt8(ascii: " ") else { return text }
            return String(text.reversed().drop { $0 == " " }.reversed())
        }
    }

    private static func isCanonicalUUID(_ text: String) -> Bool {
        text.utf8.count == 36 && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) || $0 == 45 }
    }

    /// What is looked up to find a record: the text as it was recorded, and as it may be written otherwise.
    func candidates(_ text: String) -> [DatabaseValue] {
        let texts =
            kind == .uuidText ? spellings(text).map { .text($0) } : [DatabaseValue(primaryKey: text, type: type)]
        return isLoose ? texts + otherTypes(text) : texts
    }

    /// What a text may stand for besides what its column should hold: such keys have to be found, to be published or reported.
    private func otherTypes(_ text: String) -> [DatabaseValue] {
        switch kind {
        case .integer: Int64(text) == nil ? [.text(text)] : []
        case .uuid: []
        case .uuidText, .text:
            [UUID(uuidString: text)?.bytes, Array(text.utf8)].compactMap { $0.map(DatabaseValue.bytes) }
        }
    }

    /// Whether a database that keeps any value in any column has a key that its model can't have.
    func isMisplaced(_ text: String) -> Bool {
        guard isLoose else { return false }
        return kind == .integer ? !text.isEmpty && Int64(text) == nil : text.contains("\u{FFFD}")
    }

    /// The texts under which the outbox may have a record.
    func spellings(_ text: String) -> [String] {
        let canonical = canonical(text)
        let upper = kind == .uuidText ? [canonical.uppercased()] : []
        return ([text, canonical] + upper).withoutRepetitions
    }

    /// Whether a record can have such a key.
    func accepts(_ text: String) -> Bool {
        switch kind {
        case .integer: Int64(text) != nil
        case .uuid, .uuidText: UUID(uuidString: text) != nil
        case .text: !text.isEmpty
        }
    }

    /// The key as a payload has it.
    func json(_ value: DatabaseValue) -> JSON {
        switch (kind, value) {
        case (.uuidText, .text(let text)): .string(canonical(text))
        case (.uuidText, .bytes): .string(value.primaryKeyText)
        case (.text, .text(let text)) where isPadded: .string(canonical(text))
        default: JSON(databaseValue: value)
        }
    }

    /// The key of a record that is gone, as a payload has it.
    func json(text: String) -> JSON {
        kind == .uuidText
            ? .string(canonical(text)) : JSON(databaseValue: DatabaseValue(primaryKey: canonical(text), type: type))
    }

    /// The type, for messages.
    var name: String { kind == .uuidText ? "uuid" : type.rawValue }

    /// Whether texts of the outbox can differ from the one in messages.
    var hasSpellings: Bool { kind != .text || isPadded }
}
