import Dionysus

/// What the messages of one publication are spread over partitions by.
enum PublicationPartitionKey: Sendable {
    /// The message key.
    case messageKey
    /// The value of this column, for models that have it.
    case column(String)
    /// What the application computes from the record.
    case computed(ComputedPartitionKey)

    /// Whether it is a column's value, so that a record can move to another.
    var isColumn: Bool { if case .column = self { true } else { false } }

    init(_ key: PartitionKey, default configured: PartitionKey, of model: ModelDescription) {
        switch key.rule {
        case .configured:
            if case .configured = configured.rule {
                self = .messageKey
            } else {
                self.init(configured, default: .messageKey, of: model)
            }
        case .messageKey: self = .messageKey
        case .column(let name): self = .column(name)
        case .computed(let computed): self = .computed(computed.reading(from: model))
        }
    }

    /// The column whose value rows of the outbox carry as their partition key, if the table has it.
    func column(in table: TableDescription?) -> String? {
        guard case .column(let name) = self else { return nil }
        return table?.column(name)?.name
    }

    /// What rows of the outbox carry as their partition key where it isn't a column's value: the same for all, so that
    /// one lane keeps their order.
    func constant(forTopic topic: String) -> String? {
        guard case .computed(let computed) = self, computed.order == .partitionKey else { return nil }
        return topic
    }

    /// The columns that the rows of deleted records keep.
    var keptColumns: [String] {
        guard case .computed(let computed) = self else { return [] }
        return computed.columns
    }
}
