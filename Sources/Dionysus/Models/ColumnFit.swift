/// Whether a property fits its column, as far as it is known before the first row.
package struct ColumnFit: Sendable {
    /// Every row fails, for this reason.
    package var faults: [String] = []
    /// Some rows may fail, for this reason.
    package var warnings: [String] = []

    /// Compares a model's properties with its table's columns, and ignores missing columns.
    package init(_ model: ModelDescription, _ table: TableDescription, _ dialect: any SQLDialect) throws {
        for property in try model.columns() {
            guard let column = table.column(property.name) else { continue }
            let place = "table \(table.name), column \(column.name)"
            switch Self.verdict(property.kind, column, dialect) {
            case .fits: break
            case .never:
                faults.append("\(place) is of type \(column.declaredType), which can't be read as \(property.kind)")
            case .sometimes(let when):
                warnings.append(
                    "\(place) is of type \(column.declaredType) and read as \(property.kind), which fails for \(when)"
                )
            }
            if column.isNullable, !property.isOptional, !table.primaryKey.contains(column.name),
                property.kind != .document, property.kind != .any
            {
                warnings.append("\(place) is nullable, but the property isn't optional, so a row with null fails")
            }
        }
    }

    private enum Verdict: Equatable {
        case fits
        case never
        /// With a description of the values that don't fit.
        case sometimes(String)
    }

    private static func verdict(_ kind: ValueKind, _ column: ColumnDescription, _ dialect: any SQLDialect) -> Verdict {
        if kind == .any { return .fits }
        guard dialect.enforcesTypes else { return loose(kind, column) }
        if column.declaredType.hasSuffix("[]") { return list(kind, column) }
        return strict(kind, column.type, column.declaredType)
    }

    /// Whether a type can be read from a column in a database that stores values of any type: only conversions by the
    /// column's affinity make it fail.
    private static func loose(_ kind: ValueKind, _ column: ColumnDescription) -> Verdict {
        switch (column.type, kind) {
        case (.text, .bool), (.text, .double), (.text, .float): .never
        case (.text, .integer(let bits, let isSigned)): bits == 64 && !isSigned ? .fits : .never
        case (.integer, .uuid), (.integer, .url), (.integer, .bytes), (.integer, .time), (.integer, .date): .never
        case (.integer, .list), (.integer, .object): .never
        case (.double, .uuid), (.double, .url), (.double, .bytes), (.double, .time), (.double, .date): .never
        case (.double, .list), (.double, .object), (.double, .bool), (.double, .integer): .never
        case (.bool, .uuid), (.bool, .url), (.bool, .bytes), (.bool, .time), (.bool, .date): .never
        case (.bool, .list), (.bool, .object): .never
        default: .fits
        }
    }

    private static func list(_ kind: ValueKind, _ column: ColumnDescription) -> Verdict {
        switch kind {
        case .document, .list(.any, _): return .fits
        case .list(let element, let hasNulls):
            let declared = String(column.declaredType.dropLast(2))
            if declared.hasSuffix("[]") { return .sometimes("lists of other dimensions") }
            switch strict(element, DatabaseType(declared: declared), declared) {
            case .never: return .never
            // Elements distinguish decimal numbers from integers.
            case .fits, .sometimes:
                let type = DatabaseType(declared: declared)
                if type == .decimal, element != .decimal, element != .text { return .never }
                return hasNulls ? .fits : .sometimes("lists with null in them")
            }
        default: return .never
        }
    }

    private static func strict(_ kind: ValueKind, _ type: DatabaseType?, _ declared: String) -> Verdict {
        switch kind {
        case .any: .fits
        case .bool: type == .bool ? .fits : type == .integer ? .sometimes("numbers other than 0 and 1") : .never
        case .integer(let bits, let isSigned): integer(bits, isSigned, type, declared)
        case .double, .float: [.double, .decimal, .integer].contains(type) ? .fits : .never
        case .decimal:
            [.decimal, .double, .integer].contains(type)
                ? .fits : type == .text ? .sometimes("text that isn't a number") : .never
        case .text: type == .bool || type == .bytes ? .never : .fits
        case .uuid: type == .uuid ? .fits : type == .text ? .sometimes("text that isn't a UUID") : .never
        case .url: type == .text ? .fits : .never
        case .bytes: type == .bytes ? .fits : .never
        case .time:
            type == .timestamp || declared == "date"
                ? .fits : type == .text ? .sometimes("text that isn't a time") : .never
        case .date: declared == "date" ? .fits : type == .text ? .sometimes("text that isn't a date") : .never
        case .list, .object: type == .json ? .fits : type == .text ? .sometimes("text that isn't a document") : .never
        case .document:
            type == .text || type == nil
                ? .sometimes("text that isn't a document")
                : [.timestamp, .uuid, .bytes].contains(type) ? .never : .fits
        }
    }

    private static func integer(_ bits: Int, _ isSigned: Bool, _ type: DatabaseType?, _ declared: String) -> Verdict {
        switch type {
        case .decimal: return .sometimes("numbers with a fraction or out of its range")
        case .integer:
            let columnBits = declared == "smallint" ? 16 : declared == "integer" ? 32 : 64
            if !isSigned { return .sometimes("negative numbers") }
            return bits >= columnBits ? .fits : .sometimes("numbers of more than \(bits) bits")
        default: return .never
        }
    }
}

extension DatabaseType {
    /// The type of a list's elements, by its name.
    init?(declared: String) {
        switch declared.prefix(while: { $0 != "(" && $0 != " " }) {
        case "boolean": self = .bool
        case "smallint", "integer", "bigint": self = .integer
        case "real", "double": self = .double
        case "numeric": self = .decimal
        case "text", "character": self = .text
        case "timestamp": self = .timestamp
        case "uuid": self = .uuid
        case "json", "jsonb": self = .json
        case "bytea": self = .bytes
        default: return nil
        }
    }
}

extension ValueKind: CustomStringConvertible {
    package var description: String {
        switch self {
        case .bool: "Bool"
        case .integer(let bits, let isSigned): "\(isSigned ? "Int" : "UInt")\(bits == 64 ? "" : String(bits))"
        case .double: "Double"
        case .float: "Float"
        case .decimal: "a decimal number"
        case .text: "String"
        case .uuid: "UUID"
        case .url: "URL"
        case .bytes: "Data"
        case .time: "a point in time"
        case .date: "CalendarDate"
        case .list(let element, _): "a list of \(element)"
        case .object: "an object"
        case .document: "JSON"
        case .any: "any type"
        }
    }
}
