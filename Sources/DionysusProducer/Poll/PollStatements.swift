import Dionysus

/// The statements on the tables of polls.
struct PollStatements: Sendable {
    let poll: PolledModel
    let outbox: Outbox

    private var tables: OutboxTables { outbox.tables }
    private var dialect: any SQLDialect { outbox.dialect }
    private var polls: SQL { tables.beside(PollSchema.polls) }
    var records: SQL { tables.beside(PollSchema.records) }

    /// Where rows of the poll say that they come from.
    var origin: String { "poll:\(poll.name)" }
    /// Where rows say that they come from whose failure has been noted in their record's state.
    private var failedOrigin: String { "poll-failed:\(poll.name)" }

    /// The row of a poll that has never run.
    func creation() -> SQL { "INSERT INTO \(polls) (poll) VALUES (\(poll.name)) ON CONFLICT (poll) DO NOTHING" }

    /// The state of the poll as ``PollState/init(_:)`` reads it, locked until the transaction ends; no row while another
    /// process has it.
    func claim() -> SQL {
        """
        \(state()) \(raw: dialect.forUpdate.isEmpty ? "" : "\(dialect.forUpdate) OF p SKIP LOCKED")
        """
    }

    func state() -> SQL {
        """
        SELECT p.round, p.started_at, p.round_until, p.round_mark, p.is_reread, p.position_time, p.position_key,
          p.reread_from, p.pending_from, p.pending_mark, p.is_pending_settled,
          CASE WHEN p.pending_mark IS NULL THEN 1 WHEN \(outbox.support.haveEnded(upTo: "p.pending_mark")) THEN 1 ELSE 0 END,
          \(dialect.now)
        FROM \(polls) p WHERE p.poll = \(poll.name)
        """
    }

    /// The mark of the transaction, for ``PollState/begin(_:mark:)``.
    func mark() -> SQL { "SELECT \(outbox.support.transactionMark)" }

    func store(_ state: PollState, found: Int) -> SQL {
        """
        UPDATE \(polls) SET round = \(state.round), started_at = \(state.startedAt.databaseValue),
          round_until = \(state.roundUntil.databaseValue), round_mark = \(state.roundMark.databaseValue),
          is_reread = \(state.isReread ? 1 : 0), position_time = \(state.positionTime.databaseValue),
          position_key = \(state.positionKey.databaseValue), reread_from = \(state.rereadFrom.databaseValue),
          pending_from = \(state.pendingFrom.databaseValue), pending_mark = \(state.pendingMark.databaseValue),
          is_pending_settled = \(state.isPendingSettled ? 1 : 0),
          finished_at = \(state.roundUntil == nil ? dialect.now : "finished_at" as SQL), found = found + \(found)
        WHERE poll = \(poll.name)
        """
    }

    /// How many rows of the outbox wait for their first attempt, up to a limit.
    func pressure(limit: Int) -> SQL {
        """
        SELECT count(*) FROM (
          SELECT 1 FROM \(tables.outbox) o WHERE o.published_at IS NULL AND o.failed_at IS NULL LIMIT \(limit)
        ) waiting
        """
    }

    // MARK: Records

    /// Remembers versions of records that have been found.
    func remember(_ found: [PollTable.Found]) -> SQL {
        let columns = [
            BulkColumn("record_key", .text, found.map { .text($0.record.id) }),
            BulkColumn("version_time", .text, found.map { $0.time.databaseValue }),
            BulkColumn("version", .text, found.map { $0.version.databaseValue }),
        ]
        return """
            INSERT INTO \(records) (poll, topic, record_key, version_time, version)
            SELECT \(dialect.asText("\(poll.name)")), '', r.record_key, r.version_time, r.version
            FROM \(dialect.rows(columns, alias: "r")) WHERE 1 = 1
            ON CONFLICT (poll, topic, record_key)
            DO UPDATE SET version_time = excluded.version_time, version = excluded.version
            """
    }

    /// Remembers the keys of a round, and the partition keys with which a deletion would be published.
    func remember(_ keys: [(key: String, topic: String, partitionKey: String?)], round: Int64) -> SQL {
        let columns = [
            BulkColumn("topic", .text, keys.map { .text($0.topic) }),
            BulkColumn("record_key", .text, keys.map { .text($0.key) }),
            BulkColumn("partition_key", .text, keys.map { $0.partitionKey.databaseValue }),
        ]
        return """
            INSERT INTO \(records) (poll, topic, record_key, partition_key, round)
            SELECT \(dialect.asText("\(poll.name)")), r.topic, r.record_key, r.partition_key, \(raw: "\(round)")
            FROM \(dialect.rows(columns, alias: "r")) WHERE 1 = 1
            ON CONFLICT (poll, topic, record_key)
            DO UPDATE SET partition_key = excluded.partition_key, round = excluded.round
            """
    }

    /// Keys that the current round hasn't found.
    func missing(before round: Int64, limit: Int) -> SQL {
        """
        SELECT topic, record_key, partition_key FROM \(records)
        WHERE poll = \(poll.name) AND round < \(round) ORDER BY topic, record_key LIMIT \(limit)
        """
    }

    func forget(_ keys: [(topic: String, key: String)]) -> SQL {
        let columns = [
            BulkColumn("topic", .text, keys.map { .text($0.topic) }),
            BulkColumn("record_key", .text, keys.map { .text($0.key) }),
        ]
        return """
            DELETE FROM \(records) WHERE poll = \(poll.name) AND EXISTS (
              SELECT 1 FROM \(dialect.rows(columns, alias: "r"))
              WHERE r.topic = \(records).topic AND r.record_key = \(records).record_key)
            """
    }

    // MARK: Failures

    /// Rows of the poll that the relay has given up, and that no record's state shows yet.
    func parked(limit: Int) -> SQL {
        """
        SELECT o.id, o.resource_id FROM \(tables.outbox) o
        WHERE o.published_at IS NULL AND o.failed_at IS NOT NULL AND o.retry_at IS NULL AND o.origin = \(origin)
        ORDER BY o.id LIMIT \(limit)
        """
    }

    func noteFailures(_ ids: [Int64]) -> SQL {
        """
        UPDATE \(tables.outbox) SET origin = \(failedOrigin)
        WHERE \(dialect.isAny("id", of: ids.map(DatabaseValue.integer), type: .integer))
        """
    }
}
