import Dionysus

/// The statements on the tables of genesis runs.
struct GenesisStatements: Sendable {
    /// What becomes of a chunk.
    enum ChunkState: Int64 {
        /// It waits to be taken.
        case waiting = 0
        /// Its records are in the outbox.
        case queued = 1
        /// What is left of its records has failed and waits for another attempt.
        case retrying = 2
        /// Nothing of it is left to be published.
        case settled = 3
    }

    let tables: OutboxTables
    let dialect: any SQLDialect

    private var now: SQL { dialect.now }
    var runTable: SQL { tables.beside(GenesisSchema.runs) }
    private var chunkTable: SQL { tables.beside(GenesisSchema.chunks) }

    /// Locks rows that no other worker has locked; nothing where writers exclude each other anyway.
    private func locking(_ alias: String) -> SQL {
        SQL(raw: dialect.forUpdate.isEmpty ? "" : "\(dialect.forUpdate) OF \(alias) SKIP LOCKED")
    }

    /// Checks that there are runs at all.
    func requireTables(in transaction: inout Transaction) throws {
        let table = tables.path(GenesisSchema.chunks)
        guard try transaction.describe(table: table) == nil else { return }
        throw DionysusError(
            .declaration,
            "there is no table \(table) in the database",
            advice: "run migrate first"
        )
    }

    // MARK: Runs

    func start(
        topic: String,
        model: String,
        selection: GenesisSelection,
        context: OutboxContext,
        spread: Duration?,
        chunkSize: Int
    ) -> SQL {
        """
        INSERT INTO \(runTable)
          (topic, model, state, selection, context, spread_seconds, chunk_size, created_at, starts_at)
        VALUES (\(topic), \(model), 'running', \(selection.json.text), \(context.json.text), \((spread?.inSeconds).databaseValue),
          \(chunkSize), \(now), \(now))
        RETURNING id
        """
    }

    /// The runs that ``ActiveRun/init(_:)`` reads, with the database's time.
    func active() -> SQL { "\(runs) WHERE r.state = 'running' ORDER BY r.id" }

    /// A run as ``ActiveRun/init(_:)`` reads it, whatever its state.
    func open(_ id: Int64) -> SQL { "\(runs) WHERE r.id = \(id)" }

    private var runs: SQL {
        """
        SELECT r.id, r.topic, r.model, r.selection, r.context, r.spread_seconds, r.chunks, r.is_split, r.starts_at,
          r.created_at, \(now), r.announced_at, r.split_until
        FROM \(runTable) r
        """
    }

    /// Changes the state of a run that is in one of some states.
    func change(_ id: Int64, from states: [GenesisRun.State], to state: GenesisRun.State, setting more: SQL = "") -> SQL
    {
        """
        UPDATE \(runTable) SET state = \(state.rawValue)\(more) WHERE id = \(id)
          AND state IN (\(states.map { "\($0.rawValue)" as SQL }.joined(separator: ", ")))
        """
    }

    /// Claims the announcement of a run that no worker has begun to split.
    func announceStart(_ id: Int64, by worker: String) -> SQL {
        announce(id, by: worker, if: "is_split = 0 AND split_until IS NULL")
    }

    /// Claims the announcement of a run whose chunks are all settled.
    func announceEnd(_ id: Int64, by worker: String) -> SQL {
        announce(
            id,
            by: worker,
            if: """
                is_split = 1 AND NOT EXISTS (
                  SELECT 1 FROM \(chunkTable) c WHERE c.run_id = dionysus_genesis_runs.id AND c.state < 3
                )
                """
        )
    }

    /// The same worker can claim it again, should it not know whether it has; others when it has not finished for long.
    private func announce(_ id: Int64, by worker: String, if condition: SQL) -> SQL {
        """
        UPDATE \(runTable) SET announced_at = \(now), announced_by = \(worker)
        WHERE id = \(id) AND state = 'running' AND \(condition)
          AND (announced_at IS NULL OR announced_by = \(worker) OR announced_at < \(dialect.now(minus: 30)))
        """
    }

    /// Ends a run, and keeps the sums of its chunks in place of them.
    func finish(_ id: Int64, from states: [GenesisRun.State], as state: GenesisRun.State) -> [SQL] {
        let chunks: SQL = "FROM \(chunkTable) WHERE run_id = \(id)"
        let sums: SQL = """
            , finished_at = \(now), records = (SELECT coalesce(sum(records), 0) \(chunks)),
              unpublished = (SELECT coalesce(sum(unpublished), 0) \(chunks))
            """
        return [
            change(id, from: states, to: state, setting: sums),
            """
            DELETE FROM \(chunkTable) WHERE run_id = \(id)
              AND EXISTS (SELECT 1 FROM \(runTable) WHERE id = \(id) AND state = \(state.rawValue))
            """,
        ]
    }

    // MARK: Verifying

    /// Notes when all records of a verification had been published.
    func fence(_ id: Int64) -> SQL {
        """
        UPDATE \(runTable) SET announced_at = \(now)
        WHERE id = \(id) AND state = 'running' AND is_split = 1 AND announced_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM \(chunkTable) c WHERE c.run_id = \(id) AND c.state < 3)
        """
    }

    /// The runs of a verification topic that have not ended: id and state.
    func openRuns(of model: String, in topic: String) -> SQL {
        """
        SELECT id, state FROM \(runTable) WHERE topic = \(topic) AND model = \(model)
          AND state IN ('running', 'paused', 'failed') ORDER BY id LIMIT 1
        """
    }

    /// Whether a verification of all records was started within a time.
    ///
    /// One of a few records doesn't stand for the others.
    func wasStarted(
        _ publication: Registry.Publication,
        within pause: Duration,
        in transaction: inout Transaction
    ) throws -> Bool {
        let statement: SQL = """
            SELECT selection FROM \(runTable) WHERE topic = \(publication.verificationTopic)
              AND model = \(publication.model.name) AND created_at > \(dialect.now(minus: pause.inSeconds))
            """
        return try transaction.run(statement).rows
            .contains { row in
                let selection = GenesisSelection(json: try JSON(parsing: Array((try row.text(0) ?? "{}").utf8)))
                return selection.verification?.isWhole ?? false
            }
    }

    /// A row, if something that was captured before a time is still to be published to a topic.
    ///
    /// Rows that replace others have their time.
    func unpublished(to topic: String, before time: SQL) -> SQL {
        """
        SELECT 1 FROM \(tables.outbox) o WHERE o.published_at IS NULL AND \(Outbox.isNotParked)
          AND o.topic IN (\(topic), \(OutboxRow.observerTopic)) AND \(dialect.comparableTime("o.created_at")) <= \(dialect.comparableTime(time)) LIMIT 1
        """
    }

    // MARK: Splitting

    /// How far the splitting of a run is, unless another worker is splitting it.
    func splitting(_ id: Int64) -> SQL {
        """
        SELECT r.chunks, r.chunk_size, r.split_after, r.split_until FROM \(runTable) r
        WHERE r.id = \(id) AND r.state = 'running' AND r.is_split = 0 \(locking("r"))
        """
    }

    func addChunks(_ id: Int64, firstNumber: Int64, after: String?, until: [String]) -> SQL {
        let numbers = until.indices.map { DatabaseValue.integer(firstNumber + Int64($0)) }
        let lower: [String?] = [after] + until.dropLast().map { $0 }
        let columns = [
            BulkColumn("number", .integer, numbers),
            BulkColumn("keys_after", .text, lower.map(\.databaseValue)),
            BulkColumn("keys_until", .text, until.map(\.databaseValue)),
        ]
        return """
            INSERT INTO \(chunkTable) (run_id, number, state, keys_after, keys_until)
            SELECT \(raw: "\(id)"), number, 0, keys_after, keys_until FROM \(dialect.rows(columns, alias: "added"))
            """
    }

    func advance(_ id: Int64, chunks: Int64, after: String?, until: String?, isSplit: Bool) -> SQL {
        """
        UPDATE \(runTable) SET chunks = \(chunks), split_after = \(after.databaseValue), split_until = \(until.databaseValue),
          is_split = \(isSplit ? 1 : 0), announced_at = NULL, announced_by = NULL
        WHERE id = \(id)
        """
    }

    // MARK: Chunks

    /// The first chunk that waits, if it is one of the first `due`, and none that another worker has taken.
    func claim(_ id: Int64, due: Int64) -> SQL {
        """
        SELECT c.number, c.keys_after, c.keys_until FROM \(chunkTable) c
        WHERE c.run_id = \(id) AND c.state = 0 AND c.number < \(due)
          AND EXISTS (SELECT 1 FROM \(runTable) r WHERE r.id = \(id) AND r.state = 'running')
        ORDER BY c.number LIMIT 1 \(locking("c"))
        """
    }

    func queued(_ id: Int64, _ number: Int64, _ rows: GenesisRows) -> SQL {
        let state: ChunkState = rows.first == nil ? .settled : .queued
        return """
            UPDATE \(chunkTable) SET state = \(state.rawValue), records = \(rows.count),
              first_row = \(rows.first.databaseValue), last_row = \(rows.last.databaseValue)
            WHERE run_id = \(id) AND number = \(number)
            """
    }

    /// The number of the first chunk that waits, and whether any chunk is not settled.
    func outstanding(_ id: Int64) -> SQL {
        """
        SELECT
          (SELECT min(number) FROM \(chunkTable) WHERE run_id = \(id) AND state = 0),
          (SELECT 1 FROM \(chunkTable) WHERE run_id = \(id) AND state < 3 LIMIT 1)
        """
    }

    /// Of the first chunks of a state: how many of their rows wait, are to be tried again, and are parked.
    ///
    /// A chunk's rows stand within a range of ids, and are found among others of the same time by what they are for. Only
    /// the range is a condition: with more of them, an index over all pending rows would be walked instead.
    func unpublished(_ run: ActiveRun, _ state: ChunkState, limit: Int) -> SQL {
        let chunks: SQL = """
            SELECT number, first_row, last_row FROM \(chunkTable)
            WHERE run_id = \(run.id) AND state = \(raw: "\(state.rawValue)") AND state < 3 ORDER BY number LIMIT \(limit)
            """
        let isPending: SQL =
            "o.id IS NOT NULL AND o.published_at IS NULL AND o.topic = \(run.topic) AND o.resource_class = \(run.model)"
        func count(_ condition: SQL) -> SQL {
            "coalesce(sum(CASE WHEN \(isPending) AND \(condition) THEN 1 ELSE 0 END), 0)"
        }
        return """
            SELECT c.number, \(count("o.failed_at IS NULL")),
              \(count("o.failed_at IS NOT NULL AND o.retry_at IS NOT NULL")),
              \(count("o.failed_at IS NOT NULL AND o.retry_at IS NULL"))
            FROM (\(chunks)) c LEFT JOIN \(tables.outbox) o ON o.id >= c.first_row AND o.id <= c.last_row
            GROUP BY c.number ORDER BY c.number
            """
    }

    func settle(_ id: Int64, _ numbers: [Int64], as state: ChunkState) -> SQL {
        """
        UPDATE \(chunkTable) SET state = \(state.rawValue) WHERE run_id = \(id) AND state < 3
          AND \(dialect.isAny("number", of: numbers.map(DatabaseValue.integer), type: .integer))
        """
    }

    func park(_ id: Int64, _ number: Int64, parked: Int64) -> SQL {
        "UPDATE \(chunkTable) SET unpublished = \(parked) WHERE run_id = \(id) AND number = \(number)"
    }

    // MARK: Reading

    /// What ``GenesisRun/init(_:)`` reads; of one run, or of all.
    func read(_ id: Int64? = nil) -> SQL {
        let condition: SQL = id.map { "WHERE r.id = \($0)" } ?? ""
        return """
            SELECT r.id, r.topic, r.model, r.state, r.selection, r.spread_seconds, r.created_at, r.starts_at,
              r.finished_at, r.error_message, r.is_split, r.chunks, coalesce(c.queued, 0), coalesce(c.done, 0),
              coalesce(r.records, c.records, 0),
              coalesce(r.unpublished, c.parked, 0) + coalesce((
                SELECT sum(
                  CASE WHEN o.published_at IS NULL AND o.topic = r.topic AND o.resource_class = r.model THEN 1 ELSE 0 END
                )
                FROM \(chunkTable) open JOIN \(tables.outbox) o
                  ON o.id >= open.first_row AND o.id <= open.last_row
                WHERE open.run_id = r.id AND open.state IN (1, 2)
              ), 0), \(now)
            FROM \(runTable) r LEFT JOIN (
              SELECT run_id, sum(CASE WHEN state > 0 THEN 1 ELSE 0 END) AS queued,
                sum(CASE WHEN state = 3 THEN 1 ELSE 0 END) AS done, sum(records) AS records,
                sum(CASE WHEN state = 3 THEN unpublished ELSE 0 END) AS parked
              FROM \(chunkTable) GROUP BY run_id
            ) c ON c.run_id = r.id
            \(condition) ORDER BY r.id
            """
    }
}
