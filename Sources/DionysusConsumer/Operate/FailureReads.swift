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

    fileprivate static let columns: SQL = """
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

extension Database {
    /// Lists failures of a group with their messages, those whose events happened last first.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` if nothing has been migrated, and as for a transaction.
    package func recentFailures(
        of group: String,
        id: Int64? = nil,
        topic: String? = nil,
        entityID: String? = nil,
        type: String? = nil,
        limit: Int,
        offset: Int
    ) async throws -> [StoredFailureRecord] {
        var condition: SQL = "\"group\" = \(group)"
        if let id { condition += " AND id = \(id)" }
        if let topic { condition += " AND topic = \(topic)" }
        if let entityID { condition += " AND entity_id = \(entityID)" }
        if let type { condition += " AND event_type = \(type)" }
        return try await transaction(.snapshot) { [condition] transaction in
            try FailureQueries(group: group).check(in: &transaction)
            return
                try transaction.run(
                    """
                    SELECT \(StoredFailureRecord.columns) FROM dionysus_failures WHERE id IN (
                      SELECT id FROM dionysus_failures WHERE \(condition)
                      ORDER BY event_time DESC NULLS LAST, created_at DESC NULLS LAST, id DESC
                      LIMIT \(limit) OFFSET \(offset))
                    ORDER BY event_time DESC NULLS LAST, created_at DESC NULLS LAST, id DESC
                    """
                )
                .rows.map { try StoredFailureRecord($0) }
        }
    }

    /// Counts the failures of a group.
    /// - Throws: As ``recentFailures(of:id:topic:entityID:type:limit:offset:)``.
    package func countFailures(of group: String) async throws -> Int64 {
        try await transaction(.snapshot) { transaction in
            try FailureQueries(group: group).check(in: &transaction)
            let count: SQL = "SELECT count(*) FROM dionysus_failures WHERE \"group\" = \(group)"
            return try transaction.run(count).first?.integer(0) ?? 0
        }
    }
}
