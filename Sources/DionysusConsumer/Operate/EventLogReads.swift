package import Dionysus

extension Database {
    /// Lists logged events of a group, those that happened last first.
    /// - Parameters:
    ///   - filter: Which events.
    ///   - offset: How many of them are left out.
    /// - Throws: As for a transaction.
    package func recentEvents(
        of group: String,
        _ filter: EventLogFilter,
        offset: Int = 0
    ) async throws -> [LoggedEvent] {
        try await events(filter.newest(of: group, offset: offset))
    }

    /// Finds a logged event of a group.
    /// - Throws: As for a transaction.
    package func loggedEvent(_ id: Int64, of group: String) async throws -> LoggedEvent? {
        try await events(
            "SELECT \(LoggedEvent.columns) FROM dionysus_events WHERE \"group\" = \(group) AND id = \(id)"
        )
        .first
    }

    private func events(_ query: SQL) async throws -> [LoggedEvent] {
        try await transaction(.snapshot) { transaction in
            guard try transaction.describe(table: "dionysus_events") != nil else {
                throw DionysusError(.declaration, "there is no event log in the database", advice: "run migrate first")
            }
            return try transaction.run(query).rows.map { try LoggedEvent($0) }
        }
    }
}

extension EventLogFilter {
    /// Those of a group that happened last, as ``LoggedEvent`` reads them.
    ///
    /// What is left out is passed over in an index, without its payloads.
    func newest(of group: String, offset: Int) -> SQL {
        """
        SELECT \(LoggedEvent.columns) FROM dionysus_events WHERE id IN (
          SELECT id FROM dionysus_events WHERE "group" = \(group) AND \(condition)
          ORDER BY \(EventOrder.newestFirst) LIMIT \(limit) OFFSET \(offset))
        ORDER BY \(EventOrder.newestFirst)
        """
    }
}
