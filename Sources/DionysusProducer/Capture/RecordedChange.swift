public import Dionysus

/// A change that an application makes to one of its records.
public enum RecordedChange<Record: Model>: Sendable {
    /// The record has been inserted.
    case created(Record)
    /// The record has been changed.
    case updated(from: Record, to: Record)
    /// The record has been deleted.
    case destroyed(Record)
}

/// A change as the outbox has it: what happened to which record, from which state to which.
struct CapturedChange {
    let model: ModelDescription
    /// What is published of it; nil if a soft-deleted record has changed, which concerns others only.
    let change: EventName.Change?
    let old: JSON.Object?
    let new: JSON.Object?

    /// The record as it is, or as it was last.
    var state: JSON.Object { new ?? old ?? JSON.Object() }

    var id: String { state[model.primaryKey]?.keyText ?? "" }

    /// The names of the columns whose values differ.
    var changedColumns: [String] {
        state.members.map(\.name).filter { (old?[$0] ?? .null) != (new?[$0] ?? .null) }
    }

    /// The old and the new value of a column.
    func values(of column: String) -> JSON { .array([old?[column] ?? .null, new?[column] ?? .null]) }

    /// The attribute as the text of a partition key; nil if the record lacks it.
    func text(of column: String) -> String? { state[column]?.keyText }

    /// Whether the record is visible again.
    var isRestored: Bool {
        guard let old, let new, let before = old[model.softDeleteColumn] else { return false }
        return before != .null && new[model.softDeleteColumn] == .null
    }

    /// What an application's change comes to: nothing if nothing differs, two changes if the primary key does.
    static func all<Record: Model>(
        of change: RecordedChange<Record>,
        _ model: ModelDescription
    ) throws -> [CapturedChange] {
        switch change {
        case .created(let record):
            return [CapturedChange(model: model, change: .created, old: nil, new: try attributes(of: record))]
        case .destroyed(let record):
            return [CapturedChange(model: model, change: .destroyed, old: try attributes(of: record), new: nil)]
        case .updated(let old, let new):
            let (old, new) = (try attributes(of: old), try attributes(of: new))
            guard old[model.primaryKey] == new[model.primaryKey] else {
                return [
                    CapturedChange(model: model, change: .destroyed, old: old, new: nil),
                    CapturedChange(model: model, change: .created, old: nil, new: new),
                ]
            }
            guard old != new else { return [] }
            return [CapturedChange(model: model, change: event(model, from: old, to: new), old: old, new: new)]
        }
    }

    private static func event(
        _ model: ModelDescription,
        from old: JSON.Object,
        to new: JSON.Object
    ) -> EventName.Change? {
        let (before, after) = (old[model.softDeleteColumn] ?? .null, new[model.softDeleteColumn] ?? .null)
        if after != .null {
            if after != before { return .destroyed }
            let isExempt = model.updatesAfterSoftDelete.map { $0.holds(for: new[$0.column]) } ?? false
            return model.publishesUpdatesAfterSoftDelete || isExempt ? .updated : nil
        }
        return before != .null ? .created : .updated
    }

    private static func attributes(of record: some Model) throws -> JSON.Object {
        guard case .object(let attributes) = try JSONTreeEncoder().encode(record: record) else {
            throw DionysusError(.application, "a record of \(type(of: record).modelName) encodes to no attributes")
        }
        return attributes
    }
}
