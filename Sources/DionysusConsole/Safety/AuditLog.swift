import Dionysus

/// What somebody has done.
struct AuditEntry: Sendable, Hashable {
    let id: Int64
    let at: Timestamp?
    /// Who has done it.
    let actor: String
    let action: String
    /// What it was done to: ids or a filter.
    let target: String
    /// How many were to be changed.
    let matched: Int64
    /// What became of it; nil while it runs, or if the console ended meanwhile.
    let outcome: String?
    let finishedAt: Timestamp?

    var json: JSON {
        .object([
            "id": .integer(id), "at": .init(at), "actor": .string(actor), "action": .string(action),
            "target": .string(target), "matched": .integer(matched), "outcome": outcome.map(JSON.string) ?? .null,
            "finished_at": .init(finishedAt),
        ])
    }
}

/// Writes down every action before it is taken, in the database that it changes.
struct AuditLog: Sendable {
    let tables: ConsoleTables

    /// Writes down that an action begins.
    /// - Parameter original: What the action replaces.
    /// - Returns: The entry's id.
    /// - Throws: ``/Dionysus/DionysusError`` with code `declaration` if the table is missing: what can't be written down
    ///   isn't done.
    func begin(_ action: String, by actor: String, on target: String, matched: Int, original: [UInt8]? = nil)
        async throws
        -> Int64
    {
        try await tables.database.transaction(.write) { [tables] transaction in
            guard try tables.exist(in: &transaction) else {
                throw DionysusError(
                    .declaration,
                    "the console's tables are missing, and nothing is changed that can't be written down",
                    advice: "run migrate"
                )
            }
            let row = try transaction.run(
                """
                INSERT INTO \(tables.audit) (at, actor, action, target, matched, original)
                VALUES (\(transaction.dialect.now), \(actor), \(action), \(target), \(Int64(matched)),
                  \(original.map(DatabaseValue.bytes) ?? .null))
                RETURNING id
                """
            )
            return try row.first?.integer(0) ?? 0
        }
    }

    /// Writes down what became of an action.
    func finish(_ id: Int64, _ outcome: String) async throws {
        _ = try await tables.database.transaction(.write) { [tables] transaction in
            try transaction.run(
                """
                UPDATE \(tables.audit) SET outcome = \(outcome), finished_at = \(transaction.dialect.now) WHERE id = \(id)
                """
            )
        }
    }

    /// The last actions, the newest first.
    /// - Returns: Nil if the table is missing.
    func entries(before id: Int64? = nil, limit: Int = 100) async throws -> [AuditEntry]? {
        try await tables.database.transaction(.snapshot) { [tables] transaction in
            guard try tables.exist(in: &transaction) else { return nil }
            return
                try transaction.run(
                    """
                    SELECT id, at, actor, action, target, matched, outcome, finished_at FROM \(tables.audit)
                    WHERE id < \(id ?? .max) ORDER BY id DESC LIMIT \(limit)
                    """
                )
                .rows
                .map { row in
                    AuditEntry(
                        id: try row.integer(0) ?? 0,
                        at: try row.timestamp(1),
                        actor: try row.text(2) ?? "",
                        action: try row.text(3) ?? "",
                        target: try row.text(4) ?? "",
                        matched: try row.integer(5) ?? 0,
                        outcome: try row.text(6),
                        finishedAt: try row.timestamp(7)
                    )
                }
        }
    }
}

extension JSON {
    /// A time in ISO 8601, or null.
    init(_ time: Timestamp?) { self = time.map { .string($0.description) } ?? .null }

    /// A text, or null.
    init(_ text: String?) { self = text.map(JSON.string) ?? .null }

    /// A number, or null.
    init(_ number: Int64?) { self = number.map(JSON.integer) ?? .null }

    /// A number with its fraction, or null.
    init(_ number: Double?) {
        guard let number, number.isFinite else {
            self = .null
            return
        }
        self = .number("\(number)")
    }
}
