public import Dionysus

/// What messages are spread over partitions by.
///
/// Messages with the same partition key are in one partition, in the order of their changes.
///
///     Topic("rentals", partitionKey: "account_id") { … }
///     Topic("audits", partitionKey: .messageKey) { … }
public struct PartitionKey: Sendable, ExpressibleByStringLiteral {
    enum Rule: Sendable {
        case configured
        case messageKey
        case column(String)
        case computed(ComputedPartitionKey)
    }

    let rule: Rule

    init(_ rule: Rule) { self.rule = rule }

    /// What a declaration in a file calls it; nil for the configured one, and for what the application computes.
    package var name: String? {
        switch rule {
        case .messageKey: "message_key"
        case .column(let name): name
        case .configured, .computed: nil
        }
    }

    /// Whether the application computes it.
    package var isComputed: Bool { if case .computed = rule { true } else { false } }

    /// The value of an attribute.
    ///
    /// A model without such an attribute is spread by its message key.
    /// - Parameter attribute: The attribute's name in the table.
    public init(stringLiteral attribute: String) { rule = .column(attribute) }

    /// The value of the attribute that is configured for all topics.
    public static let `default` = PartitionKey(.configured)

    /// None: each record goes where its message key leads.
    public static let messageKey = PartitionKey(.messageKey)

    /// The value of an attribute.
    ///
    /// A model without such an attribute is spread by its message key.
    /// - Parameter name: The attribute's name in the table.
    public static func attribute(_ name: String) -> PartitionKey { PartitionKey(.column(name)) }

    /// What the application computes from a record of any model.
    ///
    ///     Topic("bookings", partitionKey: .computed(reading: "id", "rental_id") { record in
    ///         switch record {
    ///         case let booking as Booking: String(booking.id)
    ///         case let part as any RentalPart: String(part.rentalID)
    ///         default: nil
    ///         }
    ///     }) { … }
    ///
    /// As for a publication's own computation, capture can't know the value: it is computed as the record is published.
    /// - Parameters:
    ///   - attributes: The attributes that the computation reads, as the tables have them; a model without one of them
    ///     does without. The outbox keeps those of deleted records.
    ///   - order: Which messages keep their order. Default ``PartitionOrder/partitionKey``, for which one worker at a
    ///     time publishes the topic's changes.
    ///   - key: The partition key of a record, or nil for its message key. What it throws makes the record's
    ///     publication fail, to be tried again.
    public static func computed(
        reading attributes: String...,
        orderedBy order: PartitionOrder = .partitionKey,
        by key: @escaping @Sendable (any Model) throws -> String?
    ) -> PartitionKey {
        PartitionKey(.computed(ComputedPartitionKey(order: order, columns: attributes, isShared: true, compute: key)))
    }
}

/// Which of a publication's messages keep their order, where capture can't know their partition keys.
public enum PartitionOrder: Sendable, Hashable {
    /// Those with one partition key, and so that of all records: the topic's changes go through one lane.
    case partitionKey
    /// Those of one record: changes of different records go through different lanes.
    case record
}

/// A partition key that the application computes from the record.
struct ComputedPartitionKey: Sendable {
    let order: PartitionOrder
    /// The columns that a deleted record's row of the outbox keeps, so that its partition key can be computed.
    let columns: [String]
    /// Whether it is for models of which each may lack some of the columns.
    var isShared = false
    let compute: @Sendable (any Model) throws -> String?

    /// The same for one model, which has these columns or not.
    func reading(from model: ModelDescription) -> ComputedPartitionKey {
        guard isShared, let declared = try? model.columns().map(\.name) else { return self }
        return ComputedPartitionKey(
            order: order,
            columns: columns.filter(declared.contains),
            isShared: true,
            compute: compute
        )
    }
}

extension Publish {
    /// Spreads this model's messages by another attribute than the topic's.
    public func partitioned(by attribute: Record.CodingKeys) -> Publish {
        partitioned(by: PartitionKey(.column(attribute.stringValue)))
    }

    /// Spreads this model's messages by their message keys, instead of the topic's partition key.
    public func partitionedByMessageKey() -> Publish { partitioned(by: .messageKey) }

    /// Spreads this model's messages by what the application computes.
    ///
    ///     Publish(Rental.self).partitioned(reading: .region) { $0.region }
    ///
    /// Capture can't know the value: it is computed from the record as it is published. The message of a record that
    /// is gone is spread by the attributes that its deletion kept, and by its message key if none were named.
    /// - Parameters:
    ///   - attributes: The attributes that the computation reads. The outbox keeps those of deleted records.
    ///   - order: Which messages keep their order. Default ``PartitionOrder/partitionKey``, for which one worker at a
    ///     time publishes the topic's changes.
    ///   - key: The partition key of a record, or nil for its message key. What it throws makes the record's
    ///     publication fail, to be tried again.
    public func partitioned(
        reading attributes: Record.CodingKeys...,
        orderedBy order: PartitionOrder = .partitionKey,
        by key: @escaping @Sendable (Record) throws -> String?
    ) -> Publish {
        let computed = ComputedPartitionKey(order: order, columns: attributes.map(\.stringValue)) { record in
            try (record as? Record).flatMap(key)
        }
        return partitioned(by: PartitionKey(.computed(computed)))
    }

    private func partitioned(by key: PartitionKey) -> Publish {
        var copy = self
        copy.element.partitionKey = key
        return copy
    }
}
