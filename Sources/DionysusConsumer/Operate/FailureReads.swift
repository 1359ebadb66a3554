package import Dionysus

/// A message that could not be applied, with its bytes.
package struct StoredFailureRecord: Sendable {
    package let id: Int64
    package let source: TopicPartition
    package let offset: Int64
    /// The message key as text; nil if it has none or is not text.
    package let key: String?
    package let payload: [UInt8]?
    package let headers: [MessageHeader]
    package let entityID: String?
    package let eventTime: Timestamp?
    package let eventType: String?
    package let eventVersion: Int64?
    package let errorClass: String
    package let errorMessage: String
    package let errorDetails: String?
    package let attempts: Int
    package let createdAt: Timestamp?

    static let columns: SQL = """
        id, topic, "partition", "offset", "key", payload, metadata, entity_id, event_time, event_type, event_version,
        error_class, error_message, error_details, attempts, created_at
        """

    fileprivate init(_ row: Row) throws {
        id = try row.integer(0) ?? 0
        source = TopicPartition(try row.text(1) ?? "", Int32(truncatingIfNeeded: try row.integer(2) ?? 0))
        offset = try row.integer(3) ?? 0
        key = row.bytes(4).flatMap { String(validating: $0, as: UTF8.self) }
        payload = row.bytes(5)
        headers = MessageMetadata((try? JSON(parsing: Array((try row.text(6) ?? "").utf8))) ?? .null).headers
        entityID = try row.text(7)
        eventTime = try row.timestamp(8)
        eventType = try row.text(9)
        eventVersion = try row.integer(10)
        errorClass = try row.text(11) ?? ""
        errorMessage = try row.text(12) ?? ""
        errorDetails = try row.text(13)
        attempts = Int(try row.integer(14) ?? 0)
        createdAt = try row.timestamp(15)
    }
}

/// Which failures of a group are meant, the newest first.
package struct FailureSelection: Sendable {
    let group: String
    /// One failure; nil for any.
    package var id: Int64?
    /// The full name of their topic; nil for any.
    package var topic: String?
    /// The record's id, as the key has it; nil for any.
    package var entityID: String?
    /// The first event's name; nil for any.
    package var type: String?

    package init(
        group: String,
        id: Int64? = nil,
        topic: String? = nil,
        entityID: String? = nil,
        type: String? = nil
    ) {
        self.group = group
        self.id = id
        self.topic = topic
        self.entityID = entityID
        self.type = type
    }

    private var condition: SQL {
        var condition: SQL = "\"group\" = \(group)"
        if let id { condition += " AND id = \(id)" }
        if let topic { condition += " AND topic = \(topic)" }
        if let entityID { condition += " AND entity_id = \(entityID)" }
        if let type { condition += " AND event_type = \(type)" }
        return condition
    }

    /// Those whose events happened last, as ``StoredFailureRecord`` reads them.
    func newest(limit: Int, offset: Int) -> SQL {
        """
        SELECT \(StoredFailureRecord.columns) FROM dionysus_failures WHERE id IN (
          SELECT id FROM dionysus_failures WHERE \(condition)
          ORDER BY \(FailureOrder.newestFirst) LIMIT \(limit) OFFSET \(offset))
        ORDER BY \(FailureOrder.newestFirst)
        """
    }
}

extension Database {
    /// Lists failures with their messages, those whose events happened last first.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` if nothing has been migrated, and as for a transaction.
    package func recentFailures(
        _ selection: FailureSelection,
        limit: Int,
        offset: Int = 0
    ) async throws -> [StoredFailureRecord] {
        try await transaction(.snapshot) { transaction in
            try FailureQueries(group: selection.group).check(in: &transaction)
            return try transaction.run(selection.newest(limit: limit, offset: offset)).rows
                .map { try StoredFailureRecord($0) }
        }
    }

    /// Counts the failures of a group.
    /// - Throws: As ``recentFailures(_:limit:offset:)``.
    package func countFailures(of group: String) async throws -> Int64 {
        try await transaction(.snapshot) { transaction in
            try FailureQueries(group: group).check(in: &transaction)
            let count: SQL = "SELECT count(*) FROM dionysus_failures WHERE \"group\" = \(group)"
            return try transaction.run(count).first?.integer(0) ?? 0
        }
    }
}
