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
    private let whatChanged: Changes

    /// What an event changed.
    enum Changes: Sendable {
        case known([RowChange])
        /// The source tells, if anybody asks, and knows the event by an object. Neither holds more than the event, because the
        /// application may keep it.
        case told(by: any RowChangeSource, of: any AnyObject & Sendable)
    }

    init(
        order: Int,
        message: ConsumedMessage,
        name: EventName,
        model: String,
        payload: RecordPayload,
        changes: Changes
    ) {
        self.order = order
        self.message = message
        self.name = name
        self.model = model
        self.payload = payload
        whatChanged = changes
    }

    /// What it changed.
    var changes: [RowChange] {
        switch whatChanged {
        case .known(let changes): changes
        case .told(let source, let event): source.changes(by: event)
        }
    }
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
