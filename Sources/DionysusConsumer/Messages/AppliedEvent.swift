import Dionysus

/// An event that was applied, with what it changed.
///
/// It is an object, because the application may get it several times.
final class AppliedEvent: Sendable {
    /// Its place among all events of the batch.
    let order: Int
    let message: ConsumedMessage
    let name: EventName
    let model: String
    let payload: RecordPayload
    private let madeChanges: [RowChange]
    private let source: (changes: any RowChangeSource, event: any AnyObject & Sendable)?

    init(
        order: Int,
        message: ConsumedMessage,
        name: EventName,
        model: String,
        payload: RecordPayload,
        changes: [RowChange]
    ) {
        (madeChanges, source) = (changes, nil)
        self.order = order
        self.message = message
        self.name = name
        self.model = model
        self.payload = payload
    }

    /// - Parameters:
    ///   - source: Tells what it changed, which nobody may ask for.
    ///   - event: What the source knows it by. Neither holds more than the event, because the application may keep it.
    init(
        order: Int,
        message: ConsumedMessage,
        name: EventName,
        model: String,
        payload: RecordPayload,
        changesIn source: any RowChangeSource,
        by event: any AnyObject & Sendable
    ) {
        (madeChanges, self.source) = ([], (source, event))
        self.order = order
        self.message = message
        self.name = name
        self.model = model
        self.payload = payload
    }

    /// What it changed.
    var changes: [RowChange] { source.map { $0.changes.changes(by: $0.event) } ?? madeChanges }
}

/// Tells what events changed, when it is asked for.
protocol RowChangeSource: AnyObject, Sendable {
    func changes(by event: any AnyObject & Sendable) -> [RowChange]
}

/// What an event changed in one record of a replica.
///
/// The rows are shared with the batch, so that keeping them costs nothing.
struct RowChange: Sendable {
    /// The model that the replica keeps.
    let model: String
    /// The names of the rows' columns, in their order; nil for a column whose changes are not reported.
    let columns: [String?]
    let id: DatabaseValue
    let old: [DatabaseValue]?
    let new: [DatabaseValue]?
}
