import Dionysus

/// The rows of a batch of new records, each of which one event makes: they need no look at one another.
struct NewRows: Sendable {
    private let batch: BoundBatch
    private let tables: [NewTable]

    /// - Returns: Nil if an event has to do with more than its own record.
    init?(_ batch: BoundBatch) {
        guard batch.isOfSingleRecords else { return nil }
        self.batch = batch
        tables = batch.layouts.map { NewTable($0) }
    }

    /// How many they are.
    var count: Int { batch.events.count }

    /// The statements that insert them, one for each replica.
    /// - Parameter isError: Whether a row that is there already is an error; without, the statement counts fewer rows.
    /// - Returns: Nil if the events of a replica assign different columns.
    func insertions(_ dialect: any SQLDialect, failingOnConflicts isError: Bool) -> [WriteStatements.Statement]? {
        var statements: [WriteStatements.Statement] = []
        for (number, table) in tables.enumerated() {
            let layout = batch.layouts[number]
            var assigned: SlotSet?
            var slots: [Int] = []
            var columns: [BulkColumn] = []
            for event in batch.events where event.record.table == number {
                let state = table.state(of: batch.ids[number][event.record.number], after: event)
                guard let row = state.row else { return nil }
                if assigned == nil {
                    assigned = state.assigned
                    slots = state.assigned.slots.filter { $0 != table.slots.id }
                    columns = layout.bulkColumns(slots, capacity: batch.ids[number].count)
                }
                guard state.assigned == assigned else { return nil }
                columns[0].values.append(state.id)
                for (index, slot) in slots.enumerated() { columns[index + 1].values.append(row[slot]) }
            }
            guard assigned != nil else { continue }
            statements.append(layout.insertion(of: columns, slots, dialect, failingOnConflicts: isError))
        }
        return statements
    }

    /// The events.
    func applied() -> [AppliedEvent] {
        batch.events.map { event in
            let table = tables[event.record.table]
            return AppliedEvent(
                order: event.order,
                message: event.message,
                name: event.name,
                model: table.replica.model,
                payload: event.payload,
                changes: .told(by: table, of: event)
            )
        }
    }
}

/// A replica with new rows.
private final class NewTable: RowChangeSource {
    let replica: ReplicaTable
    let slots: RowSlots
    private let columnNames: [String?]

    init(_ layout: Layout) {
        replica = layout.table
        slots = layout.rowSlots
        columnNames = layout.changeNames
    }

    func state(of id: DatabaseValue, after event: BoundEvent) -> RecordState {
        var state = RecordState(id: id)
        _ = state.apply(event.record.event, slots)
        return state
    }

    func changes(by event: any AnyObject & Sendable) -> [RowChange] {
        guard let event = event as? BoundEvent, let json = event.payload.id, let id = try? replica.id.value(for: json)
        else { return [] }
        let state = state(of: id, after: event)
        return [RowChange(model: replica.model, columns: columnNames, id: id, old: nil, new: state.row)]
    }
}
