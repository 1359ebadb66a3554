extension DatabaseValue {
    /// Encodes a value as a document; the value must encode as an object, like a structure or a dictionary.
    /// - Throws: Errors of the value's encoding, and ``DionysusError`` with code `typeMismatch` for a number that JSON
    ///   can't represent.
    public static func document(_ value: some Encodable) throws -> DatabaseValue {
        do {
            return .json(try JSONTreeEncoder().encode(value).text)
        } catch let error as Unwritable {
            throw error.error
        }
    }
}

extension JSON: DatabaseValueConvertible {
    public static var databaseType: DatabaseType { .json }
    public var databaseValue: DatabaseValue { .json(text) }
}
