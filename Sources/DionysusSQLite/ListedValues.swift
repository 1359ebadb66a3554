import Dionysus
import GRDB

import struct Foundation.Data

/// Bytes in a list of values, which is JSON and has no bytes.
///
/// SQLite reads hexadecimal text only from version 3.41 on, so every connection brings a function of its own.
enum ListedBytes {
    static let functionName = "dionysus_bytes"

    static let function = DatabaseFunction(functionName, argumentCount: 1, pure: true) { arguments in
        guard let text = String.fromDatabaseValue(arguments[0]) else { return nil }
        return Data(base64Encoded: text)
    }
}

extension Dionysus.DatabaseValue {
    /// Whether it has no text with a zero byte.
    var isStorable: Bool {
        switch self {
        case .text(let text), .json(let text): !text.hasZeroByte
        case .array(_, let values): values.allSatisfy(\.isStorable)
        default: true
        }
    }
}

extension JSON {
    /// A value in a list that a statement takes apart again.
    ///
    /// Documents stay the text that they are.
    init(listing value: Dionysus.DatabaseValue) {
        switch value {
        case .json(let text): self = .string(text)
        case .double(let value) where value.isInfinite: self = .number(value > 0 ? "9e999" : "-9e999")
        default: self.init(databaseValue: value)
        }
    }
}
