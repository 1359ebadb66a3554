/// What a change in one table writes into the outbox.
public struct TableCapture: Sendable, Hashable {
    /// The table whose changes are captured.
    public var table: String
    /// Its primary key column.
    public var primaryKey: String
    /// The models published from this table: its rows are their records.
    public var records: [RecordCapture]
    /// The records elsewhere that a change in this table publishes.
    public var affected: [AffectedCapture]
    /// The observed columns, whose changes are expanded by the relay.
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

/// A model whose records are the rows of a captured table, or of one that is affected by it.
public struct RecordCapture: Sendable, Hashable {
    /// A topic to which the model is published.
    public struct Topic: Sendable, Hashable {
        /// What a row of the outbox gets as partition key.
        public enum PartitionKey: Sendable, Hashable {
            /// None: the record's own key decides.
            case none
            /// The value of a column.
            case column(String)
            /// Always the same text, so that all rows keep their order.
            ///
            /// For topics whose partition key only the application can compute.
            case constant(String)
        }

        /// The topic's full name.
        public var name: String
        /// What a row gets as partition key.
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
    /// The model's name in snake case, with which event names begin.
    public var singular: String
    /// The model's table.
    public var table: String
    /// Its primary key column.
    public var primaryKey: String
    /// Its soft-delete column, if the table has it.
    public var softDeleteColumn: String?
    /// Whether changes of soft-deleted records are published.
    public var updatesAfterSoftDelete: Bool
    /// Of which soft-deleted records changes are published, where not of all.
    public var updatedAfterSoftDelete: ColumnCondition?
    /// The topics: one row in the outbox for each.
    public var topics: [Topic]
    /// The columns whose last values the row of a deletion keeps in its changeset, as `{"column": [old, null]}`.
    public var keptColumns: [String]
    /// What a changeset says beyond what the relay needs.
    public var changeset: ChangesetContent
    /// The columns of which one must change for an update to be captured; nil for any column of the table.
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

/// Records elsewhere that are published when a row of the captured table changes.
public struct AffectedCapture: Sendable, Hashable {
    /// The records that are published, as updated.
    public var record: RecordCapture
    /// The way from the captured table to the records' table: at least one step.
    public var path: [AssociationHop]
    /// The columns of which one must change; nil for any.
    public var columns: [String]?

    /// Creates a capture.
    public init(record: RecordCapture, path: [AssociationHop], columns: [String]?) {
        self.record = record
        self.path = path
        self.columns = columns
    }
}

/// Columns whose changes are written for the relay to find out whom they affect.
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
