/// What an SQL expression reads, as the database itself sees it.
package struct ExpressionDescription: Sendable, Hashable {
    /// Columns that are read of a table.
    package struct Read: Sendable, Hashable {
        /// The table; a dot separates schema and table.
        package var table: String
        /// The columns, sorted; none if only the number of rows counts.
        package var columns: [String]

        /// Creates a read.
        package init(table: String, columns: [String]) {
            self.table = table
            self.columns = columns
        }
    }

    /// The columns that are read of the record's own row, sorted.
    package var ownColumns: [String]
    /// What is read of other rows, also of the record's table, by table.
    package var reads: [Read]
    /// Functions whose values change without any change of what they read.
    package var unpredictable: [String]
    /// What is used whose reads the database doesn't know: functions, tables without triggers.
    package var opaque: [String]
    /// The definitions of the views that are read, by name.
    package var definitions: [String: String]
    /// The type of the value; nil where the database doesn't know it.
    package var type: DatabaseType?

    /// Creates a description.
    package init(
        ownColumns: [String] = [],
        reads: [Read] = [],
        unpredictable: [String] = [],
        opaque: [String] = [],
        definitions: [String: String] = [:],
        type: DatabaseType? = nil
    ) {
        self.ownColumns = ownColumns
        self.reads = reads
        self.unpredictable = unpredictable
        self.opaque = opaque
        self.definitions = definitions
        self.type = type
    }
}

/// A foreign key of one column.
package struct ForeignKey: Sendable, Hashable {
    /// The table that has the key; a dot separates schema and table.
    package var table: String
    /// Its column.
    package var column: String
    /// The table that the key leads to.
    package var otherTable: String
    /// The column that it is compared with.
    package var otherColumn: String

    /// Creates a foreign key.
    package init(table: String, column: String, otherTable: String, otherColumn: String) {
        self.table = table
        self.column = column
        self.otherTable = otherTable
        self.otherColumn = otherColumn
    }
}

/// A connection that knows what SQL expressions read.
package protocol ExpressionDescribing: DatabaseConnection {
    /// Describes a scalar expression without evaluating it; nothing that this needs is left behind.
    /// - Parameters:
    ///   - expression: An expression, or a query of one value.
    ///   - table: The table of the row with which it is evaluated.
    ///   - row: What the expression calls that row.
    /// - Throws: ``DionysusError`` with code `statement` for an expression that the database can't evaluate.
    func describe(expression: String, of table: String, as row: String) throws -> ExpressionDescription

    /// All foreign keys of one column.
    func foreignKeys() throws -> [ForeignKey]

    /// The name by which descriptions of expressions and foreign keys call a table.
    /// - Returns: The name, or nil if there is no such table.
    func describedName(ofTable table: String) throws -> String?
}

extension Transaction {
    /// What knows what SQL expressions read.
    /// - Throws: ``DionysusError`` with code `configuration` if the adapter doesn't.
    package var expressions: any ExpressionDescribing {
        get throws {
            guard let expressions = connection as? any ExpressionDescribing else {
                throw DionysusError(
                    .configuration,
                    "this database's adapter can't tell what SQL attributes read",
                    advice: "compute the attributes in the application"
                )
            }
            return expressions
        }
    }
}
