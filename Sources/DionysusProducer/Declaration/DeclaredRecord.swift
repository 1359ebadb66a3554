public import Dionysus

/// A record of a model that a file declares, for code that computes an attribute of it.
public struct DeclaredRecord: Sendable {
    let row: Row

    /// The value of a column.
    /// - Parameter column: A column that the file names, or that it leaves to the database.
    /// - Returns: The value; null where the record has none, or where there is no such column. Of a destroyed record only what
    ///   its deletion kept is there.
    public subscript(column: String) -> DatabaseValue { row[column] }

    /// The value of a column as a type.
    /// - Parameters:
    ///   - column: A column that the file names, or that it leaves to the database.
    ///   - type: The type; an optional one takes null.
    /// - Throws: ``/Dionysus/DionysusError`` with code `typeMismatch` for a value of another type.
    public func value<Value: Decodable>(_ column: String, as type: Value.Type) throws -> Value {
        try row[column].decoded(as: type, from: column)
    }
}
