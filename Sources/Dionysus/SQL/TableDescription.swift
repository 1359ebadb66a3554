/// A table's description in the catalogue.
public struct TableDescription: Sendable, Hashable {
    /// The requested name.
    public var name: String
    /// The columns, in order.
    public var columns: [ColumnDescription]
    /// The columns of the primary key, in order; empty if it has none.
    public var primaryKey: [String]
    /// The columns of each unique index or constraint without a condition, including the primary key.
    public var uniqueKeys: [[String]]
    /// The columns of each unique index with a condition, if the database reports them.
    public var conditionalUniqueKeys: [[String]]
    /// The names of its triggers.
    public var triggers: [String]
    /// The names of its partitions, at all levels; empty if it is not partitioned.
    public var partitions: [String]

    /// Creates a description.
    public init(
        name: String,
        columns: [ColumnDescription],
        primaryKey: [String],
        uniqueKeys: [[String]] = [],
        conditionalUniqueKeys: [[String]] = [],
        triggers: [String] = [],
        partitions: [String] = []
    ) {
        self.name = name
        self.columns = columns
        self.primaryKey = primaryKey
        self.uniqueKeys = uniqueKeys
        self.conditionalUniqueKeys = conditionalUniqueKeys
        self.triggers = triggers
        self.partitions = partitions
    }

    /// Looks up a column by name.
    /// - Returns: The column, or nil if the table has no such column.
    package func column(_ name: String) -> ColumnDescription? { columns.first { $0.name == name } }
}

/// A column's description in the catalogue.
public struct ColumnDescription: Sendable, Hashable {
    /// The column's name.
    public var name: String
    /// The type as which Dionysus reads and writes it; nil for a type that it passes as text.
    public var type: DatabaseType?
    /// The database's name of the type: `numeric(10,2)`, `timestamp with time zone`.
    public var declaredType: String
    /// Whether it is nullable.
    public var isNullable: Bool
    /// Whether it has a default, an identity or an autoincrement.
    public var hasDefault: Bool
    /// Whether it is a generated column, which can't be assigned.
    public var isGenerated: Bool
    /// Whether different spellings compare equal: a case-insensitive collation, `citext`.
    public var ignoresSpelling: Bool
    /// How many digits of a second's fraction it keeps, where it keeps fewer than six.
    package var secondDigits: Int?
    /// What its lists hold, if it holds lists that are written as text.
    package var listElements: ListElements?

    /// What the lists of a column hold.
    package enum ListElements: Sendable, Hashable {
        case bytes
        case others
    }

    /// Creates a description.
    public init(
        name: String,
        type: DatabaseType?,
        declaredType: String,
        isNullable: Bool,
        hasDefault: Bool,
        isGenerated: Bool,
        ignoresSpelling: Bool = false
    ) {
        self.name = name
        self.type = type
        self.declaredType = declaredType
        self.isNullable = isNullable
        self.hasDefault = hasDefault
        self.isGenerated = isGenerated
        self.ignoresSpelling = ignoresSpelling
    }
}
