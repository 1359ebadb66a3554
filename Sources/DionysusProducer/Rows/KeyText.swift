import Dionysus

import struct Foundation.UUID

extension DatabaseValue {
    /// A primary key from the text under which the outbox has it; null, which no record has, if the text can't be one.
    ///
    /// A row that was written by hand must not make the statements of its whole batch fail.
    init(primaryKey text: String, type: DatabaseType) {
        switch type {
        case .integer: self = Int64(text).map(DatabaseValue.integer) ?? .null
        case .uuid: self = UUID(uuidString: text).map(DatabaseValue.uuid) ?? .null
        case .bytes: self = UUID(uuidString: text).map { .bytes($0.bytes) } ?? .null
        default: self = .text(text)
        }
    }

    /// What a key may be stored as: a database without UUIDs has them as text or as bytes, whatever the column's type.
    static func keys(_ text: String, type: DatabaseType, _ dialect: any SQLDialect) -> [DatabaseValue] {
        let key = DatabaseValue(primaryKey: text, type: type)
        guard !dialect.hasUUIDs, let uuid = UUID(uuidString: text) else { return [key] }
        return switch type {
        case .text: [key, .bytes(uuid.bytes)]
        case .bytes: [key, .text(text)]
        default: [key]
        }
    }

    /// The keys that stood in a changeset.
    ///
    /// Bytes stand there as hexadecimal digits.
    static func keys(_ json: JSON, type: DatabaseType, _ dialect: any SQLDialect) -> [DatabaseValue] {
        if !dialect.hasUUIDs, case .string(let text) = json, let uuid = UUID(hexadecimal: text) {
            return [.bytes(uuid.bytes), .text(text)]
        }
        if case .string(let text) = json, type == .bytes { return keys(text, type: type, dialect) }
        guard let key = DatabaseValue(key: json, type: type) else { return [] }
        if case .text(let text) = key { return keys(text, type: type, dialect) }
        return [key]
    }

    /// A key from a changeset; nil for what can't be one.
    init?(key json: JSON, type: DatabaseType) {
        switch (json, type) {
        case (.integer(let value), .integer): self = .integer(value)
        case (.integer(let value), _): self.init(primaryKey: String(value), type: type)
        case (.string(let text), .integer):
            guard let value = Int64(text) else { return nil }
            self = .integer(value)
        case (.string(let text), .uuid):
            guard let value = UUID(uuidString: text) else { return nil }
            self = .uuid(value)
        case (.string(let text), _): self = .text(text)
        default: return nil
        }
    }

    /// The text under which the outbox has a primary key.
    var primaryKeyText: String {
        switch self {
        case .integer(let value): String(value)
        case .text(let value): value
        case .uuid(let value): value.uuidString.lowercased()
        case .bytes(let bytes): UUID(bytes: bytes)?.uuidString.lowercased() ?? String(decoding: bytes, as: UTF8.self)
        case .double(let value): String(value)
        default: ""
        }
    }
}

extension UUID {
    /// Reads 32 hexadecimal digits.
    fileprivate init?(hexadecimal text: String) {
        guard text.utf8.count == 32 else { return nil }
        var digits = text
        for place in [20, 16, 12, 8] { digits.insert("-", at: digits.index(digits.startIndex, offsetBy: place)) }
        self.init(uuidString: digits)
    }
}

extension ModelDescription {
    /// Whether the property of its primary key is a UUID.
    var isKnownByUUID: Bool { ((try? columns()) ?? []).contains { $0.name == primaryKey && $0.isUUID } }
}

extension JSON {
    /// A value as the text of a primary key or a partition key; nil for null, and for what can be neither.
    var keyText: String? {
        switch self {
        case .string(let text), .number(let text): text
        case .integer(let value): String(value)
        case .bool(let value): String(value)
        case .null, .array, .object: nil
        }
    }
}
