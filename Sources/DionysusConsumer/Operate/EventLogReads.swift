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
        try await events(
            """
            WHERE "group" = \(group) AND \(filter.condition)
            ORDER BY event_time DESC NULLS LAST, created_at DESC NULLS LAST, id DESC
            LIMIT \(filter.limit) OFFSET \(offset)
            """
        )
    }

    /// Finds a logged event of a group.
    /// - Throws: As for a transaction.
    package func loggedEvent(_ id: Int64, of group: String) async throws -> LoggedEvent? {
        try await events("WHERE \"group\" = \(group) AND id = \(id)").first
    }

    private func events(_ rest: SQL) async throws -> [LoggedEvent] {
        try await transaction(.snapshot) { transaction in
            guard try transaction.describe(table: "dionysus_events") != nil else {
                throw DionysusError(.declaration, "there is no event log in the database", advice: "run migrate first")
            }
            return try transaction.run("SELECT \(LoggedEvent.columns) FROM dionysus_events \(rest)").rows
                .map { try LoggedEvent($0) }
        }
    }
}
