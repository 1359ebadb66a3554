import Dionysus

/// The statements by which operators inspect and repair the outbox.
extension Outbox {
    var entryColumns: SQL {
        SQL(
            raw: (OutboxEntry.columns.map { $0 == "changeset" && !hasChangeset ? "NULL" : "o.\($0)" } + [
                hasContext ? "o.origin" : "NULL"
            ])
            .joined(separator: ", ")
        )
    }

    /// Rows by topic and state, and the age of the oldest; it reads the whole table.
    func statistics() -> SQL {
        """
        SELECT o.topic,
          count(CASE WHEN o.published_at IS NULL AND o.failed_at IS NULL AND o.retry_at IS NULL THEN 1 END),
          count(CASE WHEN o.published_at IS NULL AND o.retry_at IS NOT NULL THEN 1 END),
          count(CASE WHEN o.published_at IS NULL AND o.failed_at IS NOT NULL AND o.retry_at IS NULL THEN 1 END),
          count(o.published_at),
          min(CASE WHEN o.published_at IS NULL AND \(Self.isNotParked) THEN o.created_at END), \(now)
        FROM \(tables.outbox) o GROUP BY o.topic ORDER BY o.topic
        """
    }

    /// Rows that are not published, by state: pending, retrying, parked.
    func unpublishedCounts() -> SQL { Self.unpublishedCounts(tables) }

    static func unpublishedCounts(_ tables: OutboxTables) -> SQL {
        """
        SELECT count(CASE WHEN failed_at IS NULL AND retry_at IS NULL THEN 1 END), count(retry_at),
          count(CASE WHEN failed_at IS NOT NULL AND retry_at IS NULL THEN 1 END)
        FROM \(tables.outbox) WHERE published_at IS NULL
        """
    }

    /// The rows that a filter lets through.
    func entries(_ filter: OutboxFilter) -> SQL {
        var conditions: SQL = "o.published_at IS NULL"
        switch filter.scope {
        case .unpublished: break
        case .pending: conditions += " AND o.failed_at IS NULL AND o.retry_at IS NULL"
        case .retrying: conditions += " AND o.retry_at IS NOT NULL"
        case .failed: conditions += " AND o.failed_at IS NOT NULL"
        case .parked: conditions += " AND o.failed_at IS NOT NULL AND o.retry_at IS NULL"
        }
        if let topic = filter.topic { conditions += " AND o.topic = \(topic)" }
        if let modelName = filter.modelName { conditions += " AND o.resource_class = \(modelName)" }
        if let recordID = filter.recordID { conditions += " AND o.resource_id = \(recordID)" }
        if let errorClass = filter.errorClass { conditions += " AND o.error_class = \(errorClass)" }
        if let after = filter.after { conditions += " AND o.id > \(after)" }
        // Ordered by an expression, so that the index of unpublished rows serves and published ones aren't walked over.
        return """
            SELECT \(entryColumns) FROM \(tables.outbox) o WHERE \(conditions) ORDER BY (o.id + 0) LIMIT \(filter.limit)
            """
    }

    /// Rows by their ids.
    func entries(_ ids: [Int64]) -> SQL {
        "SELECT \(entryColumns) FROM \(tables.outbox) o WHERE \(isAny(ids, alias: "o.")) ORDER BY o.id"
    }

    /// Takes the lanes of rows from the relays until the transaction ends.
    ///
    /// A relay locks its lane before it touches rows, and so does this: neither can wait for the other in a circle.
    func lockLanes(of ids: [Int64]) -> SQL {
        """
        SELECT l.lane FROM \(tables.lanes) l
        WHERE l.lane IN (SELECT \(lane(of: "o.")) FROM \(tables.outbox) o WHERE \(isAny(ids, alias: "o.")))
        ORDER BY l.lane \(raw: dialect.forUpdate)
        """
    }

    /// Makes failed rows due now, as if they had never been tried; what went wrong stays written.
    func retry(_ ids: [Int64]) -> SQL {
        """
        UPDATE \(tables.outbox) SET retry_at = \(now), attempts = 0, updated_at = \(now)
        WHERE \(isAny(ids)) AND published_at IS NULL AND failed_at IS NOT NULL
        """
    }

    /// Lowers the low-water marks that have passed rows, so that these are found again.
    ///
    /// A mark passes parked rows, which no relay waits for.
    func lowerMarks(to ids: [Int64]) -> SQL {
        """
        UPDATE \(tables.lanes) SET low_water = (
          SELECT min(o.id) - 1 FROM \(tables.outbox) o
          WHERE \(isAny(ids, alias: "o.")) AND \(lane(of: "o.")) = dionysus_lanes.lane AND o.published_at IS NULL
        )
        WHERE low_water >= (
          SELECT min(o.id) FROM \(tables.outbox) o
          WHERE \(isAny(ids, alias: "o.")) AND \(lane(of: "o.")) = dionysus_lanes.lane AND o.published_at IS NULL
        )
        """
    }

    /// Marks rows as published with a note; what went wrong before stays in it.
    func discard(_ ids: [Int64], note: String) -> SQL {
        """
        UPDATE \(tables.outbox) SET published_at = \(now), updated_at = \(now), retry_at = NULL,
          error_message = substr(\(storable(note)) || coalesce(': ' || error_message, ''), 1, \(raw: String(messageLength)))
        WHERE \(isAny(ids)) AND published_at IS NULL
        """
    }
}
