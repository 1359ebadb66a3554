/// A member of a changeset.
package struct ChangesetEntry: Sendable {
    /// The column that it is about.
    package let column: String
    /// When it is there.
    package let condition: String
    /// The old and the new value, or nil for the name alone.
    package let values: (old: String, new: String)?

    package init(column: String, condition: String, values: (old: String, new: String)?) {
        self.column = column
        self.condition = condition
        self.values = values
    }
}

/// Decides what a trigger writes into the changeset of a row of the outbox; how that is written is the database's part.
package struct ChangesetEntries {
    /// The columns of the table.
    private let columns: [String]
    /// The names of the row as it was and as it is.
    private let old: String
    private let new: String
    /// A condition that holds.
    private let always: String
    /// The condition that both rows are the same record's.
    private let isSameRecord: String
    /// The condition that a row of an update is one whose key has gone; nil where that is a deletion of its own.
    private let isGone: String?
    private let quoted: (String) -> String
    /// The value of a column of a row.
    private let value: (_ column: String, _ row: String) -> String
    /// The condition that a column has changed.
    private let differs: (String) -> String

    package init(
        columns: [String],
        old: String,
        new: String,
        always: String,
        isSameRecord: String,
        isGone: String?,
        quoted: @escaping (String) -> String,
        value: @escaping (_ column: String, _ row: String) -> String,
        differs: @escaping (String) -> String
    ) {
        self.columns = columns
        self.old = old
        self.new = new
        self.always = always
        self.isSameRecord = isSameRecord
        self.isGone = isGone
        self.quoted = quoted
        self.value = value
        self.differs = differs
    }

    package func ofInsert(_ record: RecordCapture) -> [ChangesetEntry] {
        wanted(by: record, except: []) {
            "\(new).\(quoted($0)) IS NOT NULL"
        } values: {
            ("NULL", value($0, new))
        }
    }

    package func ofDelete(_ record: RecordCapture) -> [ChangesetEntry] {
        kept(of: record, when: always)
            + wanted(by: record, except: Set(record.keptColumns)) {
                "\(old).\(quoted($0)) IS NOT NULL"
            } values: {
                (value($0, old), "NULL")
            }
    }

    /// The old and the new partition key of a record that moves are always there, so that the relay can wait for its
    /// rows elsewhere.
    ///
    /// A record that is restored may have moved while its changes were not captured: from where is not known.
    package func ofUpdate(_ record: RecordCapture, _ topic: RecordCapture.Topic) -> [ChangesetEntry] {
        let move = topic.partitionKeyColumn.map { self.move(of: record, $0) } ?? []
        return move + (isGone.map { kept(of: record, when: $0) } ?? [])
            + wanted(by: record, except: Set([topic.partitionKeyColumn].compactMap(\.self))) {
                differs($0)
            } values: {
                (value($0, old), value($0, new))
            }
    }

    private func move(of record: RecordCapture, _ column: String) -> [ChangesetEntry] {
        let moved = ChangesetEntry(
            column: column,
            condition: "\(isSameRecord) AND \(differs(column))",
            values: (value(column, old), value(column, new))
        )
        guard let deletion = record.softDeleteColumn.map(quoted), !record.updatesAfterSoftDelete else { return [moved] }
        let isRestored = "\(old).\(deletion) IS NOT NULL AND \(new).\(deletion) IS NULL"
        let restored = ChangesetEntry(
            column: column,
            condition: "\(isSameRecord) AND NOT (\(differs(column))) AND \(isRestored)",
            values: ("NULL", value(column, new))
        )
        return [moved, restored]
    }

    /// What is kept of a record that goes, so that what it belonged to is found.
    private func kept(of record: RecordCapture, when condition: String) -> [ChangesetEntry] {
        record.keptColumns.map { ChangesetEntry(column: $0, condition: condition, values: (value($0, old), "NULL")) }
    }

    /// All columns that the record reads, as far as the model asks for them.
    private func wanted(
        by record: RecordCapture,
        except: Set<String>,
        condition: (String) -> String,
        values: (String) -> (String, String)
    ) -> [ChangesetEntry] {
        guard record.changeset != .minimal else { return [] }
        return (record.columns ?? columns).filter { !except.contains($0) }
            .map { column in
                ChangesetEntry(
                    column: column,
                    condition: condition(column),
                    values: record.changeset == .values ? values(column) : nil
                )
            }
    }
}
