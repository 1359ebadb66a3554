import Dionysus

/// The records that a batch touches, as they were loaded and as its events leave them.
struct WorkingSet {
    struct Table {
        let layout: Layout
        /// The names of its columns; nil for the one with whole payloads.
        let columnNames: [String?]
        let slots: RowSlots
        var records: [RecordState]
        /// The numbers of records that have, or had, a value in a foreign key; by its place in the row.
        var members: [Int: [DatabaseValue: [Int]]]
    }

    private(set) var tables: [Table]
    /// What join tables are to hold; of several wishes for one parent, the last.
    private(set) var joins: [JoinKey: JoinedMembers] = [:]
    /// The records that came along and whose model a closure of the application takes.
    private(set) var delegated: [DelegatedEvent] = []
    /// The relationships that closures of the application are to resolve, by the record whose they are.
    private(set) var resolutions: [(table: Int, number: Int, own: CustomResolution)] = []

    /// The last payloads of records whose replica keeps them elsewhere, by table and number.
    private(set) var keptData: [[Int]: JSON.Object] = [:]

    struct JoinKey: Hashable {
        let table: String
        let parent: DatabaseValue
    }

    /// - Parameters:
    ///   - rows: The loaded rows of each replica; the places are those of its layout.
    init(_ batch: BoundBatch, rows: ArraySlice<ResultSet>) {
        tables = zip(batch.layouts, zip(batch.ids, rows)).map { layout, loaded in Table(layout, loaded.0, loaded.1) }
    }

    /// Applies the batch's events in their order.
    /// - Returns: The events that were applied, with what they changed.
    mutating func apply(_ events: [BoundEvent]) -> [AppliedEvent] {
        var applied: [AppliedEvent] = []
        applied.reserveCapacity(events.count)
        for event in events {
            var changes: [RowChange] = []
            guard apply(event.record, &changes) else { continue }
            applied.append(
                AppliedEvent(
                    order: event.order,
                    message: event.message,
                    name: event.name,
                    model: tables[event.record.table].layout.table.model,
                    payload: event.payload,
                    changes: .known(changes)
                )
            )
        }
        return applied
    }

    private mutating func apply(_ record: BoundRecord, _ changes: inout [RowChange]) -> Bool {
        let old = tables[record.table].records[record.number].row
        guard tables[record.table].apply(record.event, to: record.number) else { return false }
        note(old, record.table, record.number, &changes)
        let isSaved = tables[record.table].records[record.number].row != nil
        if let data = record.event.keptData { keptData[[record.table, record.number]] = data }
        for sideload in record.sideloads {
            if sideload.endsWithParent {
                guard !isSaved, let resolution = sideload.resolution else { continue }
                resolve(resolution, record.event.recency.version, &changes)
                continue
            }
            for member in sideload.records { _ = apply(member, &changes) }
            delegated += sideload.delegated
            if isSaved, let own = sideload.customResolution { resolutions.append((record.table, record.number, own)) }
            if isSaved, let resolution = sideload.resolution {
                resolve(resolution, record.event.recency.version, &changes)
            }
        }
        return true
    }

    private mutating func resolve(_ resolution: Resolution, _ version: Int64?, _ changes: inout [RowChange]) {
        switch resolution {
        case .join(let members):
            joins[JoinKey(table: members.joinTable, parent: members.parent)] = members
        case .replace(let table, let foreignKey, let parent, let members):
            for number in tables[table].members[foreignKey]?[parent] ?? [] {
                let record = tables[table].records[number]
                // The record may have been found here under a foreign key that it no longer has.
                guard let row = record.row, row[foreignKey] == parent, !members.contains(record.id) else { continue }
                if tables[table].records[number].removeFromAssociation(upTo: version) {
                    note(row, table, number, &changes)
                }
            }
        }
    }

    private func note(_ old: [DatabaseValue]?, _ table: Int, _ number: Int, _ changes: inout [RowChange]) {
        let new = tables[table].records[number].row
        guard old != new else { return }
        changes.append(
            RowChange(
                model: tables[table].layout.table.model,
                columns: tables[table].columnNames,
                id: tables[table].records[number].id,
                old: old,
                new: new
            )
        )
    }

    /// Remembers a destruction that was recorded before.
    mutating func recall(_ destruction: Destruction, _ table: Int, _ number: Int) {
        tables[table].records[number].recall(destruction)
    }
}

extension WorkingSet.Table {
    init(_ layout: Layout, _ ids: [DatabaseValue], _ rows: ResultSet) {
        self.layout = layout
        columnNames = layout.changeNames
        slots = layout.rowSlots
        records = ids.map { RecordState(id: $0) }
        members = [:]
        guard !rows.isEmpty else { return }
        // Rows may also have been found by other means than their ids.
        var numbers = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, $0) })
        let width = layout.columns.count
        for index in 0..<rows.count {
            let row = (0..<width).map { layout.columns[$0].normalized(rows[index, $0]) }
            let state = RecordState(id: row[slots.id], row: row, slots: slots)
            if let number = numbers[row[slots.id]] {
                records[number] = state
            } else {
                numbers[row[slots.id]] = records.count
                records.append(state)
            }
        }
        for number in records.indices { indexMember(number, before: nil) }
    }

    mutating func apply(_ event: RecordEvent, to number: Int) -> Bool {
        let old = records[number].row
        guard records[number].apply(event, slots) else { return false }
        indexMember(number, before: old)
        return true
    }

    private mutating func indexMember(_ number: Int, before old: [DatabaseValue]?) {
        guard !layout.foreignKeys.isEmpty, let row = records[number].row else { return }
        for slot in layout.foreignKeys where !row[slot].isNull && row[slot] != old?[slot] {
            members[slot, default: [:]][row[slot], default: []].append(number)
        }
    }
}
