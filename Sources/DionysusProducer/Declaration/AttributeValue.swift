public import Dionysus

public import struct Foundation.Data
public import struct Foundation.Date
public import struct Foundation.Decimal
public import struct Foundation.URL
public import struct Foundation.UUID

/// What a computed attribute may be.
///
/// Any `Encodable` type can be made one by conforming to this protocol alone.
public protocol AttributeValue: Sendable, Encodable {}

extension Bool: AttributeValue {}
extension Int: AttributeValue {}
extension Int8: AttributeValue {}
extension Int16: AttributeValue {}
extension Int32: AttributeValue {}
extension Int64: AttributeValue {}
extension UInt: AttributeValue {}
extension UInt8: AttributeValue {}
extension UInt16: AttributeValue {}
extension UInt32: AttributeValue {}
extension UInt64: AttributeValue {}
extension Double: AttributeValue {}
extension Float: AttributeValue {}
extension String: AttributeValue {}
extension Date: AttributeValue {}
extension Decimal: AttributeValue {}
extension UUID: AttributeValue {}
extension URL: AttributeValue {}
extension Data: AttributeValue {}
extension Timestamp: AttributeValue {}
extension CalendarDate: AttributeValue {}
extension JSON: AttributeValue {}
extension ExactDecimal: AttributeValue {}
extension Optional: AttributeValue where Wrapped: AttributeValue {}
extension Array: AttributeValue where Element: AttributeValue {}
extension Dictionary: AttributeValue where Key == String, Value: AttributeValue {}
