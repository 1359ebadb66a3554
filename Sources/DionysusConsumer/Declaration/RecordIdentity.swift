public import Dionysus

/// Finds the id of a record that says it in its own way.
typealias RecordIdentifier = @Sendable (_ record: JSON.Object, _ key: JSON?) throws -> JSON?

extension ConsumerTopic {
    /// Finds the ids of a topic's records, where the field `id` or the message's key isn't one.
    ///
    ///     Topic("prices", encoding: .record(.avro(key: .schema(key))), accepting: ["Price"])
    ///         .identifying { record, key in
    ///             let source = key ?? .object(record)
    ///             guard case .string(let shop)? = source["shop"], case .string(let article)? = source["article"] else { return nil }
    ///             return .string("\(shop)/\(article)")
    ///         }
    ///
    /// Rows are found and deleted by this id. It is for topics of records, not of envelopes.
    /// - Parameter identify: Gets a record, empty for a message without a value, and the message's key: what its schema makes
    ///   of it, an object, or a text. It returns the id, or nil for the id that the record or the key has by itself. What it
    ///   throws is a failure of the message.
    public func identifying(
        by identify: @escaping @Sendable (_ record: JSON.Object, _ key: JSON?) throws -> JSON?
    ) -> ConsumerTopic {
        changing { $0.identifier = identify }
    }
}
