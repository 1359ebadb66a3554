/// A table as the catalogue has it.
public struct TableDescription: Sendable, Hashable {
    /// The name that was asked for.
    public var name: String
    /// The columns, in their order.
    public var columns: [ColumnDescription]
    /// The columns of the primary key, in their order; empty if it has none.
    public var primaryKey: [String]
    /// The columns of each unique index or constraint without a condition, the primary key's included.
    public var uniqueKeys: [[String]]
    /// The columns of each unique index with a condition, where the database tells.
    public var conditionalUniqueKeys: [[String]]
    /// The names of its triggers.
    public var triggers: [String]
    /// The names of its partitions and of theirs; empty if it is not partitioned.
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

    /// The column of a name.
    /// - Returns: The column, or nil if the table has none of that name.
    public func column(_ name: String) -> ColumnDescription? { columns.first { $0.name == name } }
}

/// A column as the catalogue has it.
public struct ColumnDescription: Sendable, Hashable {
    /// The column's name.
    public var name: String
    /// The type as Dionysus reads and writes it, or nil for a type that it passes on as text.
    public var type: DatabaseType?
    /// The type as the database names it: `numeric(10,2)`, `timestamp with time zone`.
    public var declaredType: String
    /// Whether it takes null.
    public var isNullable: Bool
    /// Whether it gets a value by itself: a default, an identity, an autoincrement.
    public var hasDefault: Bool
    /// Whether the database computes it, so that it can't be assigned.
    public var isGenerated: Bool
    /// Whether texts count as equal that are written differently: a collation that ignores case, `citext`.
    public var ignoresSpelling: Bool

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
