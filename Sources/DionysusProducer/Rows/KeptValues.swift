import Dionysus

/// What is known of a record that no longer exists: the values that its row of the outbox keeps.
struct KeptValues: Sendable {
    var values: [String: JSON] = [:]

    init() {}

    init(_ object: JSON.Object) {
        for member in object.members { values[member.name] = member.value }
    }

    /// Reads the old values of a changeset: `{"account_id": [1, null]}`.
    init(changeset: String?) {
        guard let changeset, case .object(let object)? = try? JSON(parsing: Array(changeset.utf8)) else { return }
        for member in object.members {
            guard case .array(let change) = member.value, let old = change.first else { continue }
            values[member.name] = old
        }
    }

    /// A value as payloads have it, in whichever form the database's JSON functions wrote it.
    static func onTheWire(_ value: JSON, as type: DatabaseType?, _ encoder: JSONTreeEncoder) -> JSON {
        switch stored(value, as: type) {
        case .timestamp(let time): .string(time.iso8601(fractionDigits: encoder.fractionDigits))
        case .decimal(let decimal): .string(encoder.text(of: decimal))
        case .bool(let flag): .bool(flag)
        default: value
        }
    }

    /// A value as a query would have returned it.
    static func stored(_ value: JSON, as type: DatabaseType?) -> DatabaseValue {
        let plain: DatabaseValue =
            switch value {
            case .null: .null
            case .bool(let flag): .bool(flag)
            case .integer(let integer): .integer(integer)
            case .number(let text), .string(let text): .text(text)
            case .array, .object: .json(value.text)
            }
        return type.flatMap { try? plain.converted(to: $0) } ?? plain
    }
}
