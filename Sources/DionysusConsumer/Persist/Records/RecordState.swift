import Dionysus

/// One record of a replica: the row it has, the row it is to have, and what is remembered of its destruction.
///
/// It is a value and touches no database. Events are applied in the order of the partition.
struct RecordState: Sendable {
    let id: DatabaseValue
    /// The row as it was loaded; nil if there was none.
    let original: [DatabaseValue]?
    private(set) var row: [DatabaseValue]?
    /// The places that events have assigned.
    private(set) var assigned = SlotSet()
    /// Whether the row is none that was loaded, but begins anew.
    private(set) var isNew = false
    /// Whether the last event ended it, in a way that is left to the replica.
    private(set) var isCanceled = false
    /// The last destruction; it stays when the record is created again, so that a repetition of it is known.
    private(set) var destruction: Destruction?
    private(set) var hasNewDestruction = false
    private var version: Int64?
    private var createdAt: Timestamp?
    private var updatedAt: Timestamp?

    /// A record that is not in the table.
    init(id: DatabaseValue, destruction: Destruction? = nil) {
        self.id = id
        original = nil
        self.destruction = destruction
    }

    /// A record that is in the table.
    init(id: DatabaseValue, row: [DatabaseValue], slots: RowSlots) {
        self.id = id
        original = row
        self.row = row
        version = slots.version.flatMap { row[$0].integer }
        createdAt = slots.createdAt.flatMap { row[$0].timestamp }
        updatedAt = slots.updatedAt.flatMap { row[$0].timestamp }
    }

    /// Remembers a destruction that was recorded before.
    mutating func recall(_ destruction: Destruction) { self.destruction = destruction }

    /// Applies an event.
    /// - Returns: Whether it was applied; an outdated one is not.
    mutating func apply(_ event: RecordEvent, _ slots: RowSlots) -> Bool {
        switch effect(of: event, slots) {
        case .none: return false
        case .remember(let destruction):
            remember(destruction)
            return false
        case .destroy: destroy(event)
        case .cancel: save(event, slots, isCanceled: true)
        case .save: save(event, slots, isCanceled: false)
        }
        return true
    }

    /// What an event does to the record.
    private enum Effect {
        /// It is outdated.
        case none
        /// It is outdated too, but adds to what is remembered of the record's destruction.
        case remember(Destruction)
        /// It takes the row away.
        case destroy
        /// It ends the record in a way that is left to the replica.
        case cancel
        /// It writes the row, which may soft-delete it.
        case save
    }

    private func effect(of event: RecordEvent, _ slots: RowSlots) -> Effect {
        let effect = effectIfCurrent(of: event, slots)
        if row != nil { return isOutdated(event.recency) || isSuperseded(event) ? .none : effect }
        guard let destruction, !destruction.permits(event.recency, creates: event.change == .created) else {
            return effect
        }
        if case .destroy = effect { return .remember(destruction.merged(with: event.recency)) }
        return .none
    }

    /// What an event does that is not outdated.
    ///
    /// One that says when the record was cancelled leaves a soft-deleted row if the table can hold it, and one that
    /// says that it wasn't leaves the record alone.
    private func effectIfCurrent(of event: RecordEvent, _ slots: RowSlots) -> Effect {
        guard event.change == .destroyed else { return .save }
        switch event.cancellation {
        case .none: return .save
        case .canceled where slots.canceledAt != nil: return .save
        case .canceled: return slots.cancelsItself && row != nil ? .cancel : .destroy
        case .unmentioned:
            guard row != nil else { return .destroy }
            if slots.cancelsItself { return .cancel }
            return slots.softDeletes && slots.canceledAt != nil ? .save : .destroy
        }
    }

    /// Removes the record without remembering it, unless it is more recent than a version.
    /// - Returns: Whether it was removed.
    mutating func removeFromAssociation(upTo limit: Int64?) -> Bool {
        guard row != nil else { return false }
        if let limit, let version, version > limit { return false }
        forgetRow()
        return true
    }

    /// Whether the event tells once more of a destruction after which the record was created again.
    ///
    /// Versions and times decide without this, as far as there are any.
    private func isSuperseded(_ event: RecordEvent) -> Bool {
        event.isUndated && destruction?.isRepeated(by: event.recency) == true
    }

    private func isOutdated(_ recency: Recency) -> Bool {
        if let version, let other = recency.version { return other < version }
        guard let time = updatedAt ?? createdAt else { return false }
        return recency.isOlder(than: time)
    }

    private mutating func destroy(_ event: RecordEvent) {
        var recency = event.recency
        recency.version = [version, recency.version].compactMap(\.self).max()
        recency.time = [updatedAt ?? createdAt, recency.time].compactMap(\.self).max()
        remember(destruction?.merged(with: recency) ?? Destruction(recency: recency))
        forgetRow()
    }

    private mutating func forgetRow() {
        row = nil
        version = nil
        createdAt = nil
        updatedAt = nil
    }

    private mutating func remember(_ new: Destruction) {
        guard destruction != new else { return }
        destruction = new
        hasNewDestruction = true
    }

    private mutating func save(_ event: RecordEvent, _ slots: RowSlots, isCanceled: Bool) {
        self.isCanceled = isCanceled
        if row == nil {
            row = [DatabaseValue](repeating: .null, count: slots.count)
            row?[slots.id] = id
            isNew = true
            assigned = SlotSet()
            assigned.insert(slots.id)
        }
        let createdBefore = slots.createdAt.flatMap { row?[$0] }
        let updatedBefore = slots.updatedAt.flatMap { row?[$0] }
        for (slot, value) in event.assignments { row?[slot] = value }
        assigned.formUnion(event.slots)
        if let slot = slots.version {
            if let version = event.recency.version {
                assign(.integer(version), to: slot)
                self.version = version
            } else if version != nil, slots.forgetsVersion {
                // It would say that a message between this one and the one before is the newest.
                assign(.null, to: slot)
                version = nil
            }
        }
        if let slot = slots.canceledAt, event.cancellation == .unmentioned, !isCanceled {
            let time = event.recency.time ?? event.recency.written
            let value = slots.canceledAtType == .timestamp ? DatabaseValue.timestamp(time) : .text(time.description)
            assign(event.change == .destroyed ? value : .null, to: slot)
        }
        if let slot = slots.createdAt, event.slots.contains(slot) {
            createdAt = finer(createdAt, event.createdAt, event.recency, slot, createdBefore)
        }
        if let slot = slots.updatedAt, event.slots.contains(slot) {
            updatedAt = finer(updatedAt, event.updatedAt, event.recency, slot, updatedBefore)
        }
    }

    /// The new time, or the old one if it is the same and has more digits: it stays in the row, so that messages between the
    /// two are still known to be old.
    private mutating func finer(
        _ old: Timestamp?,
        _ new: Timestamp?,
        _ recency: Recency,
        _ slot: Int,
        _ before: DatabaseValue?
    ) -> Timestamp? {
        guard let old, let new, old > new, old.floored(to: recency.timeUnit) == new, let before else { return new }
        row?[slot] = before
        return old
    }

    private mutating func assign(_ value: DatabaseValue, to slot: Int) {
        row?[slot] = value
        assigned.insert(slot)
    }
}

extension DatabaseValue {
    var integer: Int64? { if case .integer(let value) = self { value } else { nil } }

    var timestamp: Timestamp? {
        switch self {
        case .timestamp(let value): value
        case .text(let text): Timestamp(text)
        default: nil
        }
    }
}
