/// What a change in one table writes to the outbox.
public struct TableCapture: Sendable, Hashable {
    /// The table whose changes are captured.
    public var table: String
    /// Its primary key column.
    public var primaryKey: String
    /// The models whose records are this table's rows.
    public var records: [RecordCapture]
    /// The records in other tables that a change in this table publishes.
    public var affected: [AffectedCapture]
    /// The observed columns, whose changes the relay expands.
    public var observed: ObservedCapture?

    /// Creates a capture that writes nothing yet.
    public init(table: String, primaryKey: String) {
        self.table = table
        self.primaryKey = primaryKey
        records = []
        affected = []
        observed = nil
    }
}

/// A model whose records are rows of a captured table or of a table that depends on it.
public struct RecordCapture: Sendable, Hashable {
    /// A topic to which the model is published.
    public struct Topic: Sendable, Hashable {
        /// The source of an outbox row's partition key.
        public enum PartitionKey: Sendable, Hashable {
            /// No partition key: the record's own key decides.
            case none
            /// The value of a column.
            case column(String)
            /// A constant text, so that all rows keep their order.
            ///
            /// For topics whose partition key the application computes.
            case constant(String)
        }

        /// The topic's full name.
        public var name: String
        /// The source of a row's partition key.
        public var partitionKey: PartitionKey

        /// The column whose value is the partition key, if it is one.
        public var partitionKeyColumn: String? {
            guard case .column(let column) = partitionKey else { return nil }
            return column
        }

        /// Creates a topic.
        public init(name: String, partitionKey: PartitionKey) {
            self.name = name
            self.partitionKey = partitionKey
        }
    }

    /// The model's name on the wire: the row's `resource_class`.
    public var modelName: String
    /// The model's name in snake case, the prefix of event names.
    public var singular: String
    /// The model's table.
    public var table: String
    /// Its primary key column.
    public var primaryKey: String
    /// Its soft-delete column, if the table has it.
    public var softDeleteColumn: String?
    /// Whether changes of soft-deleted records are published.
    public var updatesAfterSoftDelete: Bool
    /// The soft-deleted records whose changes are published, if not all are.
    public var updatedAfterSoftDelete: ColumnCondition?
    /// The topics; each gets one outbox row.
    public var topics: [Topic]
    /// The columns whose last values a deletion's changeset keeps, as `{"column": [old, null]}`.
    public var keptColumns: [String]
    /// What a changeset contains beyond what the relay needs.
    public var changeset: ChangesetContent
    /// An update is captured if one of these columns changes; nil for any column of the table.
    public var columns: [String]?

    /// Creates a capture.
    public init(
        modelName: String,
        singular: String,
        table: String,
        primaryKey: String,
        softDeleteColumn: String?,
        updatesAfterSoftDelete: Bool = false,
        updatedAfterSoftDelete: ColumnCondition? = nil,
        topics: [Topic],
        keptColumns: [String] = [],
        changeset: ChangesetContent = .minimal,
        columns: [String]? = nil
    ) {
        self.modelName = modelName
        self.singular = singular
        self.table = table
        self.primaryKey = primaryKey
        self.softDeleteColumn = softDeleteColumn
        self.updatesAfterSoftDelete = updatesAfterSoftDelete
        self.updatedAfterSoftDelete = updatedAfterSoftDelete
        self.topics = topics
        self.keptColumns = keptColumns
        self.changeset = changeset
        self.columns = columns
    }
}

/// Records in another table that are published when a row of the captured table changes.
public struct AffectedCapture: Sendable, Hashable {
    /// The records that are published, as updated.
    public var record: RecordCapture
    /// The path from the captured table to the records' table; at least one step.
    public var path: [AssociationHop]
    /// A change is captured if one of these columns changes; nil for any.
    public var columns: [String]?

    /// Creates a capture.
    public init(record: RecordCapture, path: [AssociationHop], columns: [String]?) {
        self.record = record
        self.path = path
        self.columns = columns
    }
}

/// Columns whose changes are recorded so that the relay can find the affected records.
public struct ObservedCapture: Sendable, Hashable {
    /// The model's name: the row's `resource_class`.
    public var modelName: String
    /// The model's name in snake case.
    public var singular: String
    /// The observed columns, sorted.
    public var columns: [String]

    /// Creates a capture.
    public init(modelName: String, singular: String, columns: [String]) {
        self.modelName = modelName
        self.singular = singular
        self.columns = columns
    }
}
