import Dionysus

/// The statements that write a batch if what is assumed of its records is true.
///
/// They are made before any row has been loaded, while the batch before is being written.
struct AssumedWrite: Sendable {
    let assumption: RecordAssumption
    let statements: [WriteStatements.Statement]
    /// The rows, if all are new and have nothing to do with one another.
    let newRows: NewRows?

    /// - Returns: Nil if there is more to do than one kind of statement can.
    init?(_ batch: BoundBatch, _ assumption: RecordAssumption, _ dialect: any SQLDialect) {
        self.assumption = assumption
        // In SQLite a table may say for itself what becomes of a row that is there already.
        let isError = assumption == .stillNew && dialect.excludesByLocks
        if assumption != .known, let rows = NewRows(batch),
            let insertions = rows.insertions(dialect, failingOnConflicts: isError)
        {
            (statements, newRows) = (insertions, rows)
            return
        }
        var set = WorkingSet(batch, rows: batch.withoutRows[...])
        _ = set.apply(batch.events)
        let writing = WriteStatements(set: set, dialect: dialect)
        newRows = nil
        switch assumption {
        case .new, .stillNew: statements = writing.all()
        case .known: statements = writing.updatesOfOlder()
        }
        guard statements.allSatisfy({ $0.expectedRows != nil }) else { return nil }
    }
}

extension BoundBatch {
    /// The rows of records of which none has one.
    var withoutRows: [ResultSet] { layouts.map { _ in ResultSet(columns: [], cells: [], affectedRows: 0) } }

    /// Whether each record has just one event, nothing came along, and the application has nothing to do in the transaction
    /// beside what is written.
    var isOfSingleRecords: Bool {
        guard delegated.isEmpty, ids.reduce(0, { $0 + $1.count }) == events.count else { return false }
        // A record of a message that failed has none, and another may have two.
        var seen = ids.map { [Bool](repeating: false, count: $0.count) }
        for record in events.lazy.map(\.record) {
            guard record.sideloads.isEmpty, record.event.keptData == nil, !seen[record.table][record.number] else {
                return false
            }
            seen[record.table][record.number] = true
        }
        return true
    }

    /// Whether the rows that were loaded are those of the records, one each.
    ///
    /// What the database takes for the same text may be another id.
    func hasJust(_ loaded: [ResultSet]) -> Bool {
        layouts.indices.allSatisfy { table in
            let (id, rows) = (layouts[table].table.id, loaded[table])
            guard rows.count == ids[table].count else { return false }
            if id.type == .integer || id.type == .uuid { return true }
            let (known, slot) = (Set(ids[table]), layouts[table].rowSlots.id)
            return (0..<rows.count).allSatisfy { known.contains(id.normalized(rows[$0, slot])) }
        }
    }
}
