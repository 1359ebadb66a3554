/// A statement, or a part of one, whose values are bound and whose identifiers are quoted.
///
///     let statement: SQL = "UPDATE \(identifier: table) SET name = \(name) WHERE id = \(id)"
///
/// A plain interpolation binds a value. Text reaches the statement only from the literal itself and
/// through ``StringInterpolation/appendInterpolation(raw:)``, which is for generated SQL, never for data.
public struct SQL: Sendable, ExpressibleByStringInterpolation {
    enum Element: Sendable {
        case text(String)
        case identifier(String)
        case value(DatabaseValue)
    }

    var elements: [Element]

    /// Creates a statement without any interpolation.
    public init(stringLiteral value: String) { elements = [.text(value)] }

    /// Creates a statement from an interpolation.
    public init(stringInterpolation: StringInterpolation) { elements = stringInterpolation.elements }

    /// Creates a statement from generated SQL.
    /// - Parameter text: SQL that contains no data from outside.
    public init(raw text: String) { elements = [.text(text)] }

    /// Appends another part.
    /// - Parameters:
    ///   - lhs: The statement to append to.
    ///   - rhs: The part to append.
    public static func += (lhs: inout SQL, rhs: SQL) { lhs.elements += rhs.elements }

    /// The text for a dialect, with numbered placeholders, and the values in order.
    /// - Parameter dialect: The dialect of the database that will run it.
    /// - Returns: The text and its values.
    public func rendered(for dialect: any SQLDialect) -> (text: String, values: [DatabaseValue]) {
        var text = ""
        var values: [DatabaseValue] = []
        for element in elements {
            switch element {
            case .text(let part): text += part
            case .identifier(let name): text += dialect.quoted(name)
            case .value(let value):
                values.append(value)
                text += dialect.placeholder(values.count)
            }
        }
        return (text, values)
    }

    /// Collects the parts of an interpolated statement.
    public struct StringInterpolation: StringInterpolationProtocol, Sendable {
        var elements: [Element] = []

        /// Creates an empty interpolation.
        /// - Parameters:
        ///   - literalCapacity: The length of the literal parts.
        ///   - interpolationCount: The number of interpolations.
        public init(literalCapacity: Int, interpolationCount: Int) {
            elements.reserveCapacity(interpolationCount * 2 + 1)
        }

        /// Appends literal SQL.
        public mutating func appendLiteral(_ literal: String) {
            if !literal.isEmpty { elements.append(.text(literal)) }
        }

        /// Binds a value.
        public mutating func appendInterpolation(_ value: some DatabaseValueConvertible) {
            elements.append(.value(value.databaseValue))
        }

        /// Binds a value, or null.
        public mutating func appendInterpolation<Value: DatabaseValueConvertible>(_ value: Value?) {
            elements.append(.value(value?.databaseValue ?? .null))
        }

        /// Binds the raw value of an enumeration.
        @_disfavoredOverload
        public mutating func appendInterpolation<Value: RawRepresentable>(_ value: Value)
        where Value.RawValue: DatabaseValueConvertible {
            elements.append(.value(value.rawValue.databaseValue))
        }

        /// Binds the raw value of an enumeration, or null.
        @_disfavoredOverload
        public mutating func appendInterpolation<Value: RawRepresentable>(_ value: Value?)
        where Value.RawValue: DatabaseValueConvertible {
            elements.append(.value(value?.rawValue.databaseValue ?? .null))
        }

        /// Binds a list of values as one array.
        public mutating func appendInterpolation(_ values: [DatabaseValue], as type: DatabaseType) {
            elements.append(.value(.array(type, values)))
        }

        /// Splices another part, with its values.
        public mutating func appendInterpolation(_ sql: SQL) { elements += sql.elements }

        /// Quotes an identifier.
        ///
        /// A dot separates schema and table.
        /// - Parameter identifier: The name, unquoted.
        public mutating func appendInterpolation(identifier: String) {
            elements.append(.identifier(identifier))
        }

        /// Splices generated SQL.
        /// - Parameter raw: SQL that contains no data from outside.
        public mutating func appendInterpolation(raw: String) { elements.append(.text(raw)) }
    }
}

extension Sequence where Element == SQL {
    /// Joins parts.
    /// - Parameter separator: The SQL between two parts.
    /// - Returns: The joined parts.
    public func joined(separator: String) -> SQL {
        var result = SQL(raw: "")
        for (index, part) in enumerated() {
            if index > 0 { result += SQL(raw: separator) }
            result += part
        }
        return result
    }
}
