/// A member of a changeset.
package struct ChangesetEntry: Sendable {
    /// The column that it describes.
    package let column: String
    /// The condition for its presence.
    package let condition: String
    /// The old and the new value, or nil for the name alone.
    package let values: (old: String, new: String)?

    package init(column: String, condition: String, values: (old: String, new: String)?) {
        self.column = column
        self.condition = condition
        self.values = values
    }
}

/// Decides what a trigger writes to an outbox row's changeset; the database adapter decides how.
package struct ChangesetEntries {
    /// The columns of the table.
    private let columns: [String]
    /// The names of the row before and after the change.
    private let old: String
    private let new: String
    /// A condition that is always true.
    private let always: String
    /// The condition that both rows belong to the same record.
    private let isSameRecord: String
    /// The condition that an updated row's old key is gone; nil if that is captured as a separate deletion.
    private let isGone: String?
    private let quoted: (String) -> String
    /// The value of a row's column.
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

    /// A moved record's old and new partition keys, which are always present so that the relay can wait for its other
    /// rows.
    ///
    /// A restored record may have moved while its changes were not captured; its old partition key is then unknown.
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

    /// The values kept of a deleted record, by which its parents are found.
    private func kept(of record: RecordCapture, when condition: String) -> [ChangesetEntry] {
        record.keptColumns.map { ChangesetEntry(column: $0, condition: condition, values: (value($0, old), "NULL")) }
    }

    /// All columns that the record reads, if the model asks for them.
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
