/// What a change in one table writes to the outbox.
package struct TableCapture: Sendable, Hashable {
    /// The table whose changes are captured.
    package var table: String
    /// Its primary key column.
    package var primaryKey: String
    /// The models whose records are this table's rows.
    package var records: [RecordCapture]
    /// The records in other tables that a change in this table publishes.
    package var affected: [AffectedCapture]
    /// The observed columns, whose changes the relay expands.
    package var observed: ObservedCapture?

    /// Creates a capture that writes nothing yet.
    package init(table: String, primaryKey: String) {
        self.table = table
        self.primaryKey = primaryKey
        records = []
        affected = []
        observed = nil
    }
}

/// A model whose records are rows of a captured table or of a table that depends on it.
package struct RecordCapture: Sendable, Hashable {
    /// A topic to which the model is published.
    package struct Topic: Sendable, Hashable {
        /// The source of an outbox row's partition key.
        package enum PartitionKey: Sendable, Hashable {
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
        package var name: String
        /// The source of a row's partition key.
        package var partitionKey: PartitionKey

        /// The column whose value is the partition key, if it is one.
        package var partitionKeyColumn: String? {
            guard case .column(let column) = partitionKey else { return nil }
            return column
        }

        /// Creates a topic.
        package init(name: String, partitionKey: PartitionKey) {
            self.name = name
            self.partitionKey = partitionKey
        }
    }

    /// The model's name on the wire: the row's `resource_class`.
    package var modelName: String
    /// The model's name in snake case, the prefix of event names.
    package var singular: String
    /// The model's table.
    package var table: String
    /// Its primary key column.
    package var primaryKey: String
    /// Its soft-delete column, if the table has it.
    package var softDeleteColumn: String?
    /// Whether changes of soft-deleted records are published.
    package var updatesAfterSoftDelete: Bool
    /// The soft-deleted records whose changes are published, if not all are.
    package var updatedAfterSoftDelete: ColumnCondition?
    /// The topics; each gets one outbox row.
    package var topics: [Topic]
    /// The columns whose last values a deletion's changeset keeps, as `{"column": [old, null]}`.
    package var keptColumns: [String]
    /// What a changeset contains beyond what the relay needs.
    package var changeset: ChangesetContent
    /// An update is captured if one of these columns changes; nil for any column of the table.
    package var columns: [String]?

    /// Creates a capture.
    package init(
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
package struct AffectedCapture: Sendable, Hashable {
    /// The records that are published, as updated.
    package var record: RecordCapture
    /// The path from the captured table to the records' table; at least one step.
    package var path: [AssociationHop]
    /// A change is captured if one of these columns changes; nil for any.
    package var columns: [String]?

    /// Creates a capture.
    package init(record: RecordCapture, path: [AssociationHop], columns: [String]?) {
        self.record = record
        self.path = path
        self.columns = columns
    }
}

/// Columns whose changes are recorded so that the relay can find the affected records.
package struct ObservedCapture: Sendable, Hashable {
    /// The model's name: the row's `resource_class`.
    package var modelName: String
    /// The model's name in snake case.
    package var singular: String
    /// The observed columns, sorted.
    package var columns: [String]

    /// Creates a capture.
    package init(modelName: String, singular: String, columns: [String]) {
        self.modelName = modelName
        self.singular = singular
        self.columns = columns
    }
}
