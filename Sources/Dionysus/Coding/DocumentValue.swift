extension DatabaseValue {
    /// A document with what a value encodes, for values that are objects: structures and dictionaries.
    /// - Throws: What the value's encoding throws, and ``DionysusError`` with code `typeMismatch` for a number that JSON can't
    ///   express.
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
