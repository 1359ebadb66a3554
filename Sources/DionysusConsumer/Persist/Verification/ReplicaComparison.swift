import Dionysus

/// Compares rows of replicas with what messages would make of them.
///
/// It applies the messages as if they were to be written, with all that decides about that: versions, remembered
/// destructions, the values as columns hold them. What this would change differs. Nothing is written.
struct ReplicaComparison {
    /// - Parameter batch: The messages' events.
    /// - Returns: What differs, in the order of the events.
    static func differences(_ batch: BoundBatch, in transaction: inout Transaction) throws -> [Suspicion] {
        var suspicions: [Suspicion] = []
        for part in batch.parts where !part.events.isEmpty {
            suspicions += try compare(part, in: &transaction)
        }
        return suspicions
    }

    /// A message that shows a difference.
    struct Suspicion {
        let message: ConsumedMessage
        var difference: FoundDifference
    }

    private static func compare(_ batch: BoundBatch, in transaction: inout Transaction) throws -> [Suspicion] {
        let statements = LoadStatements(batch: batch, dialect: transaction.dialect, isLocking: false)
        var set = WorkingSet(batch, rows: try transaction.run(statements.rows())[...])
        let inQuestion = set.recordsInQuestion(batch.events).filter { !$0.numbers.isEmpty }
        let found = try transaction.run(inQuestion.map { statements.tombstones(of: $0.numbers, in: $0.table) })
        for (asked, result) in zip(inQuestion, found) {
            for row in result.rows {
                let number = asked.numbers[Int(try row.integer(0) ?? 0)]
                set.recall(try Destruction(row), asked.table, number)
            }
        }
        var doubts = ColumnDoubts()
        var suspicions: [(event: BoundEvent, change: RowChange, table: Int, slots: [Int])] = []
        for event in batch.events {
            for change in set.apply([event]).flatMap(\.changes) {
                guard let table = set.tables.firstIndex(where: { $0.layout.table.model == change.model }),
                    let slots = slots(of: change, set.tables[table], event, isOwn: isOwn(change, table, event, batch))
                else { continue }
                doubts.add(change, table, slots)
                suspicions.append((event, change, table, slots))
            }
        }
        let confirmed = try doubts.confirmed(set, in: &transaction)
        return suspicions.compactMap { event, change, table, slots in
            let differing = slots.filter { confirmed.contains(.init(table: table, id: change.id, slot: $0)) }
            let isRow = change.old == nil || change.new == nil
            guard isRow || !differing.isEmpty else { return nil }
            return Suspicion(
                message: event.message,
                difference: FoundDifference(
                    kind: change.old == nil ? .missing : change.new == nil ? .extra : .stale,
                    model: change.model,
                    recordID: change.id.recordID,
                    columns: differing.map { set.tables[table].layout.columns[$0].name }.sorted(),
                    publishedModel: set.tables[event.record.table].layout.table.model,
                    publishedID: event.payload.id?.idText ?? "",
                    version: event.record.event.recency.version
                )
            )
        }
    }

    /// Whether a changed row is that of the event's own record, and not that of a part.
    private static func isOwn(_ change: RowChange, _ table: Int, _ event: BoundEvent, _ batch: BoundBatch) -> Bool {
        event.record.table == table && batch.ids[table][event.record.number] == change.id
    }

    /// The places in a row that seem to differ.
    /// - Returns: nil if nothing does; an empty list for a row that is missing or too many.
    private static func slots(
        of change: RowChange,
        _ table: WorkingSet.Table,
        _ event: BoundEvent,
        isOwn: Bool
    ) -> [Int]? {
        let replica = table.layout.table
        // Without a version, a row that is newer looks like one that differs.
        guard let versionSlot = table.slots.version else { return nil }
        if event.record.event.change == .destroyed { return slotsOfDestroyed(change, table, isOwn: isOwn) }
        guard let new = change.new, let old = change.old else { return [] }
        let slots = table.layout.columns.indices.filter { slot in
            let column = table.layout.columns[slot]
            guard slot != versionSlot, slot != table.slots.id, column != replica.data, old[slot] != new[slot] else {
                return false
            }
            // When a record was soft-deleted is the time of whichever message has told it, if none says it.
            let isTold = slot == table.slots.canceledAt && event.record.event.cancellation == .unmentioned
            if isTold, !old[slot].isNull, !new[slot].isNull { return false }
            return !isSameDocument(old[slot], new[slot])
        }
        return slots.isEmpty ? nil : slots
    }

    /// The same of a record that is deleted, or soft-deleted.
    ///
    /// Changes of a soft-deleted record are not published, nor those of its parts: of its row, only that it is soft-deleted
    /// can be compared. It need not have one.
    private static func slotsOfDestroyed(
        _ change: RowChange,
        _ table: WorkingSet.Table,
        isOwn: Bool
    ) -> [Int]? {
        let replica = table.layout.table
        guard isOwn, let old = change.old, replica.declaration.cancelling == nil else { return nil }
        guard let new = change.new else { return [] }
        guard let slot = table.slots.canceledAt, old[slot].isNull != new[slot].isNull else { return nil }
        return [slot]
    }

    /// Whether two JSON values say the same, however they are written.
    private static func isSameDocument(_ one: DatabaseValue, _ other: DatabaseValue) -> Bool {
        guard case .json(let one) = one, case .json(let other) = other,
            let first = try? JSON(parsing: Array(one.utf8)), let second = try? JSON(parsing: Array(other.utf8))
        else { return false }
        return first.isSame(as: second)
    }
}

extension JSON {
    /// Whether two documents are equal, whatever the order of their members and the form of their numbers.
    fileprivate func isSame(as other: JSON) -> Bool {
        switch (self, other) {
        case (.object(let one), .object(let two)):
            let names = Set(one.members.map(\.name))
            guard names == Set(two.members.map(\.name)) else { return false }
            return names.allSatisfy { name in
                guard let first = one[name], let second = two[name] else { return false }
                return first.isSame(as: second)
            }
        case (.array(let one), .array(let two)):
            return one.count == two.count && zip(one, two).allSatisfy { $0.isSame(as: $1) }
        default:
            if self == other { return true }
            guard let one = number, let two = other.number else { return false }
            return one == two
        }
    }

    private var number: ExactDecimal? {
        switch self {
        case .integer(let value): ExactDecimal(value)
        case .number(let digits): ExactDecimal(digits)
        default: nil
        }
    }
}
