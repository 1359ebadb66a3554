public import struct Foundation.Data
public import struct Foundation.Date
public import struct Foundation.Decimal
public import struct Foundation.URL
public import struct Foundation.UUID

/// A value that can be bound to a statement.
///
/// An enumeration with raw values needs only the conformance: `enum Color: String, DatabaseValueConvertible`.
public protocol DatabaseValueConvertible {
    /// The type of the values in a list; text by default, which a statement can cast.
    static var databaseType: DatabaseType { get }
    /// The database value.
    var databaseValue: DatabaseValue { get }
}

extension DatabaseValueConvertible {
    public static var databaseType: DatabaseType { .text }
}

extension DatabaseValueConvertible where Self: RawRepresentable, RawValue: DatabaseValueConvertible {
    public static var databaseType: DatabaseType { RawValue.databaseType }
    public var databaseValue: DatabaseValue { rawValue.databaseValue }
}

extension DatabaseValueConvertible where Self: FixedWidthInteger {
    public static var databaseType: DatabaseType { .integer }
    /// A number outside the range of signed 64-bit integers becomes a decimal number.
    public var databaseValue: DatabaseValue {
        Int64(exactly: self).map(DatabaseValue.integer) ?? .decimal(ExactDecimal(self))
    }
}

extension DatabaseValue: DatabaseValueConvertible {
    public var databaseValue: DatabaseValue { self }
}

extension Bool: DatabaseValueConvertible {
    public static var databaseType: DatabaseType { .bool }
    public var databaseValue: DatabaseValue { .bool(self) }
}

extension Int: DatabaseValueConvertible {}
extension Int8: DatabaseValueConvertible {}
extension Int16: DatabaseValueConvertible {}
extension Int32: DatabaseValueConvertible {}
extension Int64: DatabaseValueConvertible {}
extension UInt: DatabaseValueConvertible {}
extension UInt8: DatabaseValueConvertible {}
extension UInt16: DatabaseValueConvertible {}
extension UInt32: DatabaseValueConvertible {}
extension UInt64: DatabaseValueConvertible {}

extension Double: DatabaseValueConvertible {
    public static var databaseType: DatabaseType { .double }
    public var databaseValue: DatabaseValue { .double(self) }
}

extension Float: DatabaseValueConvertible {
    public static var databaseType: DatabaseType { .double }
    public var databaseValue: DatabaseValue { .double(Double(self)) }
}

extension ExactDecimal: DatabaseValueConvertible {
    public static var databaseType: DatabaseType { .decimal }
    public var databaseValue: DatabaseValue { .decimal(self) }
}

extension Decimal: DatabaseValueConvertible {
    public static var databaseType: DatabaseType { .decimal }
    /// A number with more than 38 digits becomes ``ExactDecimal/notANumber``.
    public var databaseValue: DatabaseValue { .decimal(ExactDecimal(self) ?? .notANumber) }
}

extension String: DatabaseValueConvertible {
    public var databaseValue: DatabaseValue { .text(self) }
}

extension URL: DatabaseValueConvertible {
    public var databaseValue: DatabaseValue { .text(absoluteString) }
}

extension UUID: DatabaseValueConvertible {
    public static var databaseType: DatabaseType { .uuid }
    public var databaseValue: DatabaseValue { .uuid(self) }
}

extension Data: DatabaseValueConvertible {
    public static var databaseType: DatabaseType { .bytes }
    public var databaseValue: DatabaseValue { .bytes(Array(self)) }
}

extension Timestamp: DatabaseValueConvertible {
    public static var databaseType: DatabaseType { .timestamp }
    public var databaseValue: DatabaseValue { .timestamp(self) }
}

extension Date: DatabaseValueConvertible {
    public static var databaseType: DatabaseType { .timestamp }
    public var databaseValue: DatabaseValue { .timestamp(Timestamp(self)) }
}

extension CalendarDate: DatabaseValueConvertible {
    public var databaseValue: DatabaseValue { .text(description) }
}

extension Optional: DatabaseValueConvertible where Wrapped: DatabaseValueConvertible {
    public static var databaseType: DatabaseType { Wrapped.databaseType }
    public var databaseValue: DatabaseValue { self?.databaseValue ?? .null }
}

extension Array: DatabaseValueConvertible where Element: DatabaseValueConvertible {
    public static var databaseType: DatabaseType { Element.databaseType }
    public var databaseValue: DatabaseValue { .array(Element.databaseType, map(\.databaseValue)) }
}
