public import Dionysus

/// A relationship whose records came along in a payload.
public struct RelatedRecords: Sendable {
    /// A record that came along.
    public struct Record: Sendable {
        private let payload: RecordPayload

        init(_ payload: RecordPayload) { self.payload = payload }

        /// The payload under the names it has here.
        public var data: JSON.Object { payload.data }

        /// The records that came along in this one.
        public var related: [RelatedRecords] { payload.sideloads.map(RelatedRecords.init) }
    }

    private let sideload: Sideload

    init(_ sideload: Sideload) { self.sideload = sideload }

    /// The relationship's name on the wire.
    public var relationship: String { sideload.name }

    /// The model of the records, by its name on the wire.
    public var model: String { sideload.model }

    /// The ids of the records at the source, as the payload lists them.
    public var ids: [JSON] { sideload.ids }

    /// The records.
    public var records: [Record] { sideload.records.map(Record.init) }
}

extension IncomingEvent {
    /// The records that came along in the payload.
    public var related: [RelatedRecords] { record.sideloads.map(RelatedRecords.init) }

    /// The record's id at the source; nil if the payload has none.
    public var id: JSON? { record.id }
}
