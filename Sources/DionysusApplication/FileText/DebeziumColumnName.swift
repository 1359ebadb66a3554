package import DionysusProducer

/// A column of an outbox in Debezium's shape, which may have another name.
package enum DebeziumColumnName: String, CaseIterable {
    case id
    case aggregateType = "aggregate_type"
    case aggregateID = "aggregate_id"
    case type
    case payload

    package var summary: String {
        switch self {
        case .id: "The event's id. `id` by default."
        case .aggregateType: "What the event happened to. `aggregatetype` by default."
        case .aggregateID: "Which one it happened to: the message's key. `aggregateid` by default."
        case .type: "What happened. `type` by default."
        case .payload: "The message. `payload` by default."
        }
    }

    /// Where the name is kept.
    package var path: WritableKeyPath<DebeziumOutbox.Columns, String> {
        switch self {
        case .id: \.id
        case .aggregateType: \.aggregateType
        case .aggregateID: \.aggregateID
        case .type: \.type
        case .payload: \.payload
        }
    }
}
