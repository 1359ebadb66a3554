package import Dionysus

/// The types of columns as the file writes them.
package enum FileTypes {
    /// The type of a column of a database.
    package static func text(of column: ColumnDescription, isOptional: Bool) -> String {
        DeclaredType.text(ValueKind(of: column), isOptional: isOptional)
    }
}
