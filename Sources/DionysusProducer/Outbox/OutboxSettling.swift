import Dionysus

/// The statements that note what became of rows.
extension Outbox {
    /// Marks rows as published, or deletes them.
    func settle(_ ids: [Int64], deleting: Bool) -> SQL {
        if deleting { return "DELETE FROM \(tables.outbox) WHERE \(isAny(ids))" }
        // What went wrong before is over, and dionysus-rb's dashboards count what has an error.
        return """
            UPDATE \(tables.outbox) SET published_at = \(now), updated_at = \(now), failed_at = NULL, retry_at = NULL,
              error_class = NULL, error_message = NULL WHERE \(isAny(ids))
            """
    }

    /// Settles rows that are still to be published, so that the number of changed rows shows whether all of them were.
    func take(_ ids: [Int64], deleting: Bool) -> SQL {
        "\(settle(ids, deleting: deleting)) AND published_at IS NULL"
    }

    /// Marks rows as published although no message of their own was sent, and says why.
    func settle(_ ids: [Int64], note: String) -> SQL {
        """
        UPDATE \(tables.outbox) SET published_at = \(now), updated_at = \(now), failed_at = NULL, retry_at = NULL,
          error_class = NULL, error_message = \(storable(note)) WHERE \(isAny(ids))
        """
    }

    /// What is noted of a row that failed.
    struct Failure: Sendable {
        let id: Int64
        let error: DionysusError
        /// How often the row has been tried, this time included if it counts.
        let attempts: Int64
    }

    /// Notes that rows failed: they are tried again after the delay, or parked without one.
    /// - Parameters:
    ///   - failures: The rows, and why they failed.
    ///   - seconds: The delay, or nil to park them.
    func fail(_ failures: [Failure], retryAfter seconds: Double?) -> SQL {
        let retryAt: SQL = seconds.map { support.time(shiftedBy: $0) } ?? "NULL"
        let columns = [
            BulkColumn("id", .integer, failures.map { .integer($0.id) }),
            BulkColumn("attempts", .integer, failures.map { .integer($0.attempts) }),
            BulkColumn("class", .text, failures.map { .text($0.error.code.description) }),
            BulkColumn("message", .text, failures.map { .text(storable($0.error.description)) }),
        ]
        return """
            UPDATE \(tables.outbox) AS o SET failed_at = \(now), updated_at = \(now), attempts = f.attempts,
              error_class = f.class, error_message = f.message, retry_at = \(retryAt)
            FROM \(dialect.lookupRows(columns, alias: "f")) WHERE o.id = f.id
            """
    }

    /// A text of bounded length without what the database can't store as text, which is escaped.
    func storable(_ text: String) -> String {
        let scalars = text.unicodeScalars.prefix(messageLength)
        if holdsUnicode { return String(scalars.map { $0.value == 0 ? "\u{FFFD}" : Character($0) }) }
        let escaped = scalars.map { $0.isASCII && $0.value != 0 ? String($0) : "\\u{\(String($0.value, radix: 16))}" }
        return String(escaped.joined().prefix(messageLength))
    }

    /// Records an update of records, so that their last message becomes current again.
    func refresh(_ rows: [OutboxRow]) -> SQL {
        let columns = [
            BulkColumn("resource_class", .text, rows.map { .text($0.resourceClass) }),
            BulkColumn("resource_id", .text, rows.map { .text($0.resourceID) }),
            BulkColumn("event_name", .text, rows.map { .text(repeatedEvent($0)) }),
            BulkColumn("topic", .text, rows.map { .text($0.topic) }),
            BulkColumn("partition_key", .text, rows.map { $0.partitionKey.databaseValue }),
        ]
        return """
            INSERT INTO \(tables.outbox)
              (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at)
            SELECT resource_class, resource_id, event_name, topic, partition_key, \(now), \(now)
            FROM \(dialect.rows(columns, alias: "fresh"))
            """
    }

    /// A creation is repeated as an update: the record may have been soft-deleted since, and the message about that may stand
    /// before this one in the log.
    func repeatedEvent(_ row: OutboxRow) -> String {
        guard let name = EventName(row.eventName), name.change == .created else { return row.eventName }
        return EventName(name.singular, .updated).description
    }
}
