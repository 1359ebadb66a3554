public import Dionysus

import struct Foundation.UUID

/// Runs a process manager in a database.
///
/// The streams that it appends to are in the same database.
public struct ProcessRunner<Manager: ProcessManager>: EventFollower {
    let manager: Manager
    public let store: EventStore

    /// Creates a runner.
    /// - Parameters:
    ///   - manager: The process manager.
    ///   - store: The streams that it reads and appends to.
    public init(_ manager: Manager, _ store: EventStore) {
        self.manager = manager
        self.store = store
    }

    /// Handles events that have not been handled before.
    /// - Throws: What the manager throws; ``StreamConflict``; ``/Dionysus/DionysusError`` with code `conflict` if an event
    ///   of a stream is missing before one of these.
    public func handle(_ events: [RecordedEvent], in transaction: inout Transaction) throws {
        let positions = StreamPositions(reader: "process \(manager.name)", generation: 1)
        for event in store.types.leavingOut(try positions.admit(events, in: &transaction)) {
            try handle(event, in: &transaction)
        }
    }

    private func handle(_ event: RecordedEvent, in transaction: inout Transaction) throws {
        let (id, starts, stops): (String, Bool, Bool)
        switch manager.route(event) {
        case .ignore: return
        case .start(let process): (id, starts, stops) = (process, true, false)
        case .proceed(let process): (id, starts, stops) = (process, false, false)
        case .stop(let process): (id, starts, stops) = (process, false, true)
        }
        guard var state = try state(id, starts: starts, in: &transaction) else { return }
        var effects = ProcessEffects()
        try manager.handle(event, &state, &effects)
        if stops { effects.stop() }
        var metadata = EventMetadata(correlationID: event.metadata.correlationID ?? event.id, causationID: event.id)
        metadata.traceparent = event.metadata.traceparent
        try finish(id, state, effects, cause: event.id, metadata, in: &transaction)
    }

    /// Handles timers that are due.
    /// - Parameters:
    ///   - now: The time by which they are due.
    ///   - limit: How many at most.
    ///   - transaction: The transaction in which the timers are handled.
    /// - Returns: How many there were.
    /// - Throws: As ``handle(_:in:)``.
    @discardableResult
    package func fireTimers(at now: Timestamp = .now, upTo limit: Int = 100, in transaction: inout Transaction) throws
        -> Int
    {
        let due = try transaction.run(
            """
            SELECT id, process_id, name, due_at, data FROM dionysus_timers
            WHERE process = \(manager.name) AND due_at <= \(now) ORDER BY due_at, id LIMIT \(limit)
            \(raw: transaction.dialect.forUpdate)
            """
        )
        for row in due.rows {
            guard let id = row[0].uuid, let process = try row.text(1), let name = try row.text(2),
                let dueAt = try row.timestamp(3)
            else { throw DionysusError(.malformed, "a row of dionysus_timers lacks a value") }
            // Another runner, or an earlier timer of the batch, may have taken it away.
            let removed = try transaction.run("DELETE FROM dionysus_timers WHERE id = \(id)")
            guard removed.affectedRows == 1, var state = try state(process, starts: false, in: &transaction) else {
                continue
            }
            let timer = ProcessTimer(id: id, processID: process, name: name, dueAt: dueAt, data: try row.document(4))
            var effects = ProcessEffects()
            try manager.handle(timer, &state, &effects)
            try finish(process, state, effects, cause: id, EventMetadata(causationID: id), in: &transaction)
        }
        return due.count
    }

    // MARK: State

    /// - Returns: Nil if the process has not begun, or has ended.
    private func state(_ id: String, starts: Bool, in transaction: inout Transaction) throws -> Manager.State? {
        if starts { try begin(id, in: &transaction) }
        let row =
            try transaction.run(
                """
                SELECT state, ended_at FROM dionysus_processes WHERE name = \(manager.name) AND id = \(id)
                \(raw: transaction.dialect.forUpdate)
                """
            )
            .first
        guard let row, row[1].isNull else { return nil }
        return try Manager.State(from: JSONTreeDecoder(value: row.document(0), path: "the state of \(manager.name)"))
    }

    /// Creates the process, unless it has begun or ended before.
    ///
    /// Only a row can be locked: two events that start it would both find none, and one would undo what the other did.
    private func begin(_ id: String, in transaction: inout Transaction) throws {
        let dialect = transaction.dialect
        let columns = [BulkColumn("state", .json, [.json(try JSONTreeEncoder().encode(manager.initialState).text)])]
        try transaction.run(
            """
            INSERT INTO dionysus_processes (name, id, state, updated_at)
            SELECT \(manager.name), \(id), v.state, \(dialect.now) FROM \(dialect.rows(columns, alias: "v"))
            WHERE true ON CONFLICT (name, id) DO NOTHING
            """
        )
    }

    private func finish(
        _ id: String,
        _ state: Manager.State,
        _ effects: ProcessEffects,
        cause: UUID,
        _ metadata: EventMetadata,
        in transaction: inout Transaction
    ) throws {
        var ends = false
        for (index, effect) in effects.list.enumerated() {
            let effectID = UUID.derived(from: cause, "\(manager.name)/\(index)")
            switch effect {
            case .append(let events, let stream, let expected):
                let events = events.enumerated()
                    .map { NewEvent($1, id: .derived(from: effectID, "\($0)"), metadata: metadata) }
                try store.append(events, to: stream, expecting: expected, in: &transaction)
            case .perform(_, let body): try body(effectID, &transaction)
            case .schedule(let name, let time, let data):
                try cancelTimers(of: id, named: name, in: &transaction)
                try schedule(name, id: effectID, of: id, at: time, data, in: &transaction)
            case .cancel(let name): try cancelTimers(of: id, named: name, in: &transaction)
            case .stop: ends = true
            }
        }
        if ends { try cancelTimers(of: id, named: nil, in: &transaction) }
        try keep(id, state, ends: ends, in: &transaction)
    }

    private func keep(_ id: String, _ state: Manager.State, ends: Bool, in transaction: inout Transaction) throws {
        let dialect = transaction.dialect
        let columns = [BulkColumn("state", .json, [.json(try JSONTreeEncoder().encode(state).text)])]
        let endedAt: SQL = ends ? dialect.now : "CAST(NULL AS \(raw: dialect.columnType(.timestamp)))"
        try transaction.run(
            """
            INSERT INTO dionysus_processes (name, id, state, ended_at, updated_at)
            SELECT \(manager.name), \(id), v.state, \(endedAt), \(dialect.now) FROM \(dialect.rows(columns, alias: "v"))
            WHERE true ON CONFLICT (name, id) DO UPDATE SET state = excluded.state, ended_at = excluded.ended_at,
              updated_at = excluded.updated_at
            """
        )
    }

    private func schedule(
        _ name: String,
        id: UUID,
        of process: String,
        at time: Timestamp,
        _ data: JSON,
        in transaction: inout Transaction
    ) throws {
        let columns = [
            BulkColumn("id", .uuid, [.uuid(id)]), BulkColumn("due_at", .timestamp, [.timestamp(time)]),
            BulkColumn("data", .json, [.json(data.text)]),
        ]
        try transaction.run(
            """
            INSERT INTO dionysus_timers (id, process, process_id, name, due_at, data)
            SELECT v.id, \(manager.name), \(process), \(name), v.due_at, v.data
            FROM \(transaction.dialect.rows(columns, alias: "v"))
            """
        )
    }

    private func cancelTimers(of process: String, named name: String?, in transaction: inout Transaction) throws {
        var statement: SQL = "DELETE FROM dionysus_timers WHERE process = \(manager.name) AND process_id = \(process)"
        if let name { statement += " AND name = \(name)" }
        try transaction.run(statement)
    }
}
