import Dionysus

/// The statements that list, retry and delete the recorded failures of a group.
struct FailureQueries: Sendable {
    let group: String

    private var isOurs: SQL { "f.\"group\" = \(group)" }

    /// Throws if the table isn't there as it has to be.
    func check(in transaction: inout Transaction) throws {
        let table = try transaction.describe(table: "dionysus_failures")
        guard table?.column("cause_hash") != nil else {
            throw DionysusError(
                .declaration,
                "there is no table of failures in the database, or an old one",
                advice: "run migrate first"
            )
        }
    }

    func list(_ filter: FailureFilter) -> SQL { list(filter, columns: RecordedFailure.columns) }

    /// Those whose errors have a cause, or of which none is recorded.
    func list(_ filter: FailureFilter, with cause: String?) -> SQL {
        let isMeant: SQL = cause.map { "f.cause_hash = \(FailureCause.hash(of: $0))" } ?? "f.cause_hash IS NULL"
        return list(filter, columns: RecordedFailure.columns, and: " AND \(isMeant)")
    }

    func ids(_ filter: FailureFilter) -> SQL { list(filter, columns: "f.id") }

    private func list(_ filter: FailureFilter, columns: SQL, and more: SQL = "") -> SQL {
        var conditions: SQL = "\(isOurs)\(more)"
        switch filter.state {
        case .failed: conditions += " AND f.attempts > 0"
        // The kind of those is one that an index finds.
        case .waiting: conditions += " AND f.attempts = 0 AND f.error_class = \(DionysusError.Code.waiting.description)"
        case nil: break
        }
        if let topic = filter.topic { conditions += " AND f.topic = \(topic)" }
        if let key = filter.key.map({ Array($0.utf8) }) {
            conditions += " AND f.key_hash = \(FailureLog.hash(of: key)) AND f.\"key\" = \(DatabaseValue.bytes(key))"
        }
        if let errorClass = filter.errorClass { conditions += " AND f.error_class = \(errorClass)" }
        if let after = filter.after { conditions += " AND f.id > \(after)" }
        return """
            SELECT \(columns) FROM dionysus_failures f WHERE \(conditions) ORDER BY f.id LIMIT \(filter.limit)
            """
    }

    func failure(_ id: Int64) -> SQL {
        "SELECT \(RecordedFailure.columns) FROM dionysus_failures f WHERE \(isOurs) AND f.id = \(id)"
    }

    /// The ids of failures that wait behind none, after an id.
    func first(of topic: String?, after id: Int64, upTo last: Int64, limit: Int) -> SQL {
        let isMeant: SQL = topic.map { "AND f.topic = \($0)" } ?? ""
        return """
            SELECT f.id FROM dionysus_failures f
            WHERE \(isOurs) AND f.id > \(id) AND f.id <= \(last) \(isMeant)
              AND (f.attempts > 0 OR f."key" IS NULL OR NOT EXISTS (
                SELECT 1 FROM dionysus_failures e
                WHERE e."group" = f."group" AND e.topic = f.topic AND e."partition" = f."partition"
                  AND e.key_hash = f.key_hash AND e."key" = f."key" AND e."offset" < f."offset"))
            ORDER BY f.id LIMIT \(limit)
            """
    }

    var lastID: SQL { "SELECT max(f.id) FROM dionysus_failures f WHERE \(isOurs)" }

    /// A failure with the message, as it is applied.
    func message(_ id: Int64) -> SQL {
        """
        SELECT f.topic, f."partition", f."offset", f."key", f.payload, f.metadata, f.event_time, f.attempts
        FROM dionysus_failures f WHERE \(isOurs) AND f.id = \(id)
        """
    }

    /// Counts one more attempt of a failure, and says what went wrong.
    func fail(_ id: Int64, _ error: RecordedError, _ dialect: any SQLDialect) -> SQL {
        """
        UPDATE dionysus_failures SET attempts = attempts + 1, error_class = \(error.kind),
          error_message = \(error.message), cause_hash = \(FailureCause(of: error.message).hash), error_details = \(error.details.databaseValue), retried_at = \(dialect.now)
        WHERE "group" = \(group) AND id = \(id)
        """
    }

    /// The partitions of failures.
    func partitions(of ids: [Int64], _ dialect: any SQLDialect) -> SQL {
        """
        SELECT DISTINCT f.topic, f."partition" FROM dionysus_failures f
        WHERE \(isOurs) AND \(dialect.isAny("f.id", of: ids.map { .integer($0) }, type: .integer))
        ORDER BY f.topic, f."partition"
        """
    }

    func delete(_ id: Int64) -> SQL { "DELETE FROM dionysus_failures WHERE \"group\" = \(group) AND id = \(id)" }
}

/// A failure with its message.
struct StoredFailure: Sendable {
    let id: Int64
    var message: ConsumedMessage
    let attempts: Int

    init(id: Int64, _ row: Row) throws {
        self.id = id
        let metadata = MessageMetadata((try? JSON(parsing: Array((try row.text(5) ?? "").utf8))) ?? .null)
        let eventTime = try row.timestamp(6)
        message = ConsumedMessage(
            source: TopicPartition(try row.text(0) ?? "", Int32(truncatingIfNeeded: try row.integer(1) ?? 0)),
            offset: try row.integer(2) ?? 0,
            key: row.bytes(3),
            value: row.bytes(4),
            headers: metadata.headers,
            timestamp: metadata.timestamp ?? eventTime ?? .now
        )
        attempts = Int(try row.integer(7) ?? 0)
    }

    /// What removes it when its message is applied.
    func resolution(in group: String) -> FailureResolution {
        FailureResolution(
            id: id,
            partition: RecordedPartition(group: group, partition: message.source),
            offset: message.offset,
            key: message.key,
            waits: attempts == 0
        )
    }
}
