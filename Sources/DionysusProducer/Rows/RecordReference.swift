import Dionysus

/// A record in a topic: what a message key stands for.
struct RecordReference: Sendable, Hashable {
    let topic: String
    let modelName: String
    let id: String

    /// The key of its messages.
    var messageKey: String { "\(modelName):\(id)" }
}

/// Records that are loaded together: one model's, as one topic publishes it.
struct RecordGroup: Hashable, Sendable {
    let topic: String
    let modelName: String

    init(topic: String, modelName: String) {
        self.topic = topic
        self.modelName = modelName
    }

    init(_ row: OutboxRow) { self.init(topic: row.topic, modelName: row.resourceClass) }
}

extension [RecordGroup] {
    /// The same in an order that statements can be prepared with.
    var inFixedOrder: [RecordGroup] { sorted { ($0.topic, $0.modelName) < ($1.topic, $1.modelName) } }
}
