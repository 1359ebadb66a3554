import Dionysus

/// The statements on what a group has found of verification runs.
struct VerificationStore: Sendable {
    private typealias State = ComparedRun.State

    let group: String

    private func isRun(_ topic: String, _ run: String) -> SQL {
        "\"group\" = \(group) AND topic = \(topic) AND run = \(run)"
    }

    /// Counts what was compared of a run, which may be the first that is heard of it.
    func count(
        _ run: String,
        _ topic: String,
        model: String?,
        records: Int,
        chunks: Int = 0,
        _ dialect: any SQLDialect
    ) -> SQL {
        let number = Int64(run.suffix(while: \.isNumber)) ?? 0
        return """
            INSERT INTO dionysus_verifications AS t
              ("group", topic, run, number, model, state, records, chunks, started_at)
            VALUES (\(group), \(topic), \(run), \(number), \(model.databaseValue), \(State.comparing.rawValue), \(records),
              \(chunks), \(dialect.now))
            ON CONFLICT ("group", topic, run) DO UPDATE SET records = t.records + excluded.records,
              chunks = t.chunks + excluded.chunks, model = coalesce(t.model, excluded.model)
            """
    }

    /// Notes the end of a run.
    /// - Parameter keysVersion: The run's version, if all of the replica's keys are to be compared with those of the run.
    func end(
        _ marker: VerificationMarker,
        _ topic: String,
        keysVersion: Int64?,
        _ dialect: any SQLDialect
    ) -> [SQL] {
        let isCancelled = marker.kind == .cancelled
        let state: State = isCancelled ? .cancelled : .ended
        let finished: SQL = isCancelled ? ", finished_at = \(dialect.now)" : ""
        let change: SQL = """
            UPDATE dionysus_verifications SET state = \(state.rawValue), chunks_total = \(marker.chunk)\(finished),
              keys_version = \(keysVersion.databaseValue), first_key = \(marker.keys.from.databaseValue),
              last_key = \(marker.keys.until.databaseValue)
            WHERE \(isRun(topic, marker.run)) AND state = \(State.comparing.rawValue)
            """
        guard isCancelled else { return [change] }
        return [
            change, "DELETE FROM dionysus_suspects WHERE \(isRun(topic, marker.run))", forgetKeys(topic, marker.run),
        ]
    }

    // MARK: Suspects

    /// Keeps messages that seem to differ, to be compared again at the end.
    func keep(_ messages: [ConsumedMessage], _ topic: String, _ dialect: any SQLDialect) -> SQL {
        let columns = [
            BulkColumn("run", .text, messages.map { .text($0.verificationRun ?? "") }),
            BulkColumn("subject", .text, messages.map { .text("\($0.source.partition):\($0.offset)") }),
            BulkColumn("part", .integer, messages.map { .integer(Int64($0.source.partition)) }),
            BulkColumn("place", .integer, messages.map { .integer($0.offset) }),
            BulkColumn("message_key", .bytes, messages.map { $0.key.map(DatabaseValue.bytes).databaseValue }),
            BulkColumn("payload", .bytes, messages.map { $0.value.map(DatabaseValue.bytes).databaseValue }),
            BulkColumn("metadata", .text, messages.map { .text(MessageMetadata($0).json.text) }),
        ]
        return """
            INSERT INTO dionysus_suspects
              ("group", topic, run, subject, "partition", "offset", "key", payload, metadata)
            SELECT \(group), \(topic), v.run, v.subject, v.part, v.place, v.message_key, v.payload, v.metadata
            FROM \(dialect.rows(columns, alias: "v"))
            JOIN dionysus_verifications t ON t."group" = \(group) AND t.topic = \(topic) AND t.run = v.run
              AND t.state IN (\(State.comparing.rawValue), \(State.ended.rawValue), \(State.rechecking.rawValue))
            WHERE true ON CONFLICT DO NOTHING
            """
    }

    /// Keeps rows that the source has no records for, to be looked at again at the end.
    func keep(
        rows ids: [String],
        of model: String,
        version: Int64,
        _ topic: String,
        _ run: String,
        _ dialect: any SQLDialect
    ) -> SQL {
        let rows = dialect.rows([BulkColumn("id", .text, ids.map { .text($0) })], alias: "v")
        return """
            INSERT INTO dionysus_suspects ("group", topic, run, subject, model, record_id, version)
            SELECT \(group), \(topic), \(run), 'row:' || v.id, \(model), v.id, \(version)
            FROM \(rows) WHERE true ON CONFLICT DO NOTHING
            """
    }

    /// The next suspects of a run, as ``Suspect/init(_:topic:)`` reads them.
    func suspects(_ topic: String, _ run: String, limit: Int) -> SQL {
        """
        SELECT id, model, record_id, version, "partition", "offset", "key", payload, metadata FROM dionysus_suspects
        WHERE \(isRun(topic, run)) ORDER BY id LIMIT \(limit)
        """
    }

    func forget(_ suspects: [Suspect], _ dialect: any SQLDialect) -> SQL {
        let ids = suspects.map { DatabaseValue.integer($0.id) }
        return "DELETE FROM dionysus_suspects WHERE \(dialect.isAnyKey("id", of: ids, type: .integer))"
    }

    // MARK: Keys

    /// Keeps the keys of a chunk, as the replica would write them.
    func keep(
        keys: [DatabaseValue],
        of table: ReplicaTable,
        _ topic: String,
        _ run: String,
        _ dialect: any SQLDialect
    ) -> SQL {
        let rows = dialect.rows([BulkColumn("id", table.id.type, keys)], alias: "v")
        return """
            INSERT INTO dionysus_verified_keys ("group", topic, run, record_id)
            SELECT \(group), \(topic), \(run), \(dialect.asText(SQL(raw: "v.id"))) FROM \(rows)
            WHERE true ON CONFLICT DO NOTHING
            """
    }

    /// A condition that a text is none of a run's keys.
    func isNoKey(_ text: SQL, _ topic: String, _ run: String) -> SQL {
        """
        NOT EXISTS (SELECT 1 FROM dionysus_verified_keys k
          WHERE k."group" = \(group) AND k.topic = \(topic) AND k.run = \(run) AND k.record_id = \(text))
        """
    }

    /// Notes that the keys of a run have been compared; changes no row if another process has noted it.
    func noteKeysCompared(_ topic: String, _ run: String) -> SQL {
        """
        UPDATE dionysus_verifications SET keys_version = NULL WHERE \(isRun(topic, run)) AND keys_version IS NOT NULL
        """
    }

    func forgetKeys(_ topic: String, _ run: String) -> SQL {
        "DELETE FROM dionysus_verified_keys WHERE \(isRun(topic, run))"
    }

    // MARK: Runs that have ended

    /// The runs whose suspects are to be looked at: topic, run, model, fence, and the version of keys that are to be
    /// compared, if all chunks have been seen.
    func unfinished() -> SQL {
        """
        SELECT topic, run, model, fence, CASE WHEN chunks = chunks_total THEN keys_version END FROM dionysus_verifications WHERE "group" = \(group)
          AND state IN (\(State.ended.rawValue), \(State.rechecking.rawValue)) ORDER BY started_at, run
        """
    }

    func setFence(_ fence: VerificationFence, _ topic: String, _ run: String) -> SQL {
        """
        UPDATE dionysus_verifications SET state = \(State.rechecking.rawValue), fence = \(fence.json.text)
        WHERE \(isRun(topic, run)) AND state = \(State.ended.rawValue)
        """
    }

    /// Stores differences that remain.
    func store(_ found: [FoundDifference], _ topic: String, _ run: String, _ dialect: any SQLDialect) -> SQL {
        let columns = [
            BulkColumn("kind", .text, found.map { .text($0.kind.rawValue) }),
            BulkColumn("model", .text, found.map { .text($0.model) }),
            BulkColumn("record_id", .text, found.map { .text($0.recordID) }),
            BulkColumn("published_model", .text, found.map { .text($0.publishedModel) }),
            BulkColumn("published_id", .text, found.map { .text($0.publishedID) }),
            BulkColumn("names", .text, found.map { .text(JSON.array($0.columns.map(JSON.string)).text) }),
            BulkColumn("version", .integer, found.map(\.version.databaseValue)),
        ]
        return """
            INSERT INTO dionysus_differences ("group", topic, run, kind, model, record_id, published_model, published_id,
              columns, version, found_at)
            SELECT \(group), \(topic), \(run), v.kind, v.model, v.record_id, v.published_model, v.published_id, v.names,
              v.version, \(dialect.now)
            FROM \(dialect.rows(columns, alias: "v")) WHERE true ON CONFLICT DO NOTHING
            """
    }

    /// Ends a run of which no suspect is left, and counts what was found.
    func complete(_ topic: String, _ run: String, _ dialect: any SQLDialect) -> SQL {
        func count(_ kind: Difference.Kind) -> SQL {
            """
            (SELECT count(*) FROM dionysus_differences WHERE \(isRun(topic, run)) AND kind = \(kind.rawValue))
            """
        }
        return """
            UPDATE dionysus_verifications SET state = \(State.completed.rawValue), missing = \(count(.missing)),
              stale = \(count(.stale)), extra = \(count(.extra)), unreadable = \(count(.unreadable)),
              finished_at = \(dialect.now)
            WHERE \(isRun(topic, run)) AND state = \(State.rechecking.rawValue)
              AND NOT EXISTS (SELECT 1 FROM dionysus_suspects WHERE \(isRun(topic, run)))
            RETURNING model, missing, stale, extra, unreadable,
              CASE WHEN first_key IS NULL AND last_key IS NULL THEN 1 ELSE 0 END
            """
    }
}

/// What seemed to differ when it was compared first.
struct Suspect: Sendable {
    enum Subject: Sendable {
        /// A record as its message has it.
        case message(ConsumedMessage)
        /// A row that its source has no record for.
        case row(model: String, id: String, version: Int64?)
    }

    let id: Int64
    let subject: Subject

    init(_ row: Row, topic: String) throws {
        id = try row.integer(0) ?? 0
        if let model = try row.text(1), let record = try row.text(2) {
            subject = .row(model: model, id: record, version: try row.integer(3))
            return
        }
        let metadata = MessageMetadata((try? JSON(parsing: Array((try row.text(8) ?? "{}").utf8))) ?? .null)
        subject = .message(
            ConsumedMessage(
                source: TopicPartition(topic, Int32(try row.integer(4) ?? 0)),
                offset: try row.integer(5) ?? 0,
                key: row.bytes(6),
                value: row.bytes(7),
                headers: metadata.headers,
                timestamp: metadata.timestamp ?? Timestamp(microseconds: 0)
            )
        )
    }
}

/// How far the consumer has to have come before what seemed to differ is looked at again.
struct VerificationFence: Sendable, Hashable {
    var ends: [TopicPartition: Int64]

    init(_ ranges: [TopicPartition: OffsetRange]) {
        ends = ranges.filter { $0.value.next > $0.value.first }.mapValues(\.next)
    }

    init?(text: String) {
        guard case .array(let elements)? = try? JSON(parsing: Array(text.utf8)) else { return nil }
        ends = [:]
        for element in elements {
            guard case .string(let topic)? = element["topic"], case .integer(let partition)? = element["partition"],
                case .integer(let end)? = element["end"]
            else { return nil }
            ends[TopicPartition(topic, Int32(clamping: partition))] = end
        }
    }

    var json: JSON {
        .array(
            ends.sorted { $0.key < $1.key }
                .map { partition, end in
                    .object([
                        "topic": .string(partition.topic), "partition": .integer(Int64(partition.partition)),
                        "end": .integer(end),
                    ])
                }
        )
    }

    /// Whether everything below it has been applied.
    func isPassed(_ positions: [TopicPartition: StoredPosition]) -> Bool {
        ends.allSatisfy { partition, end in (positions[partition]?.next ?? 0) >= end }
    }
}

extension ConsumedMessage {
    /// The verification run that it belongs to.
    var verificationRun: String? {
        headers.last { $0.name == HeaderName.verification }
            .map { String(decoding: $0.value.prefix(200), as: UTF8.self) }
    }

    /// Whether it is about a verification run and not about a record.
    var isVerificationMarker: Bool { headers.contains { $0.name == HeaderName.verificationMarker } }
}

extension String {
    fileprivate func suffix(while predicate: (Character) -> Bool) -> Substring {
        let count = reversed().prefix { predicate($0) }.count
        return suffix(count)
    }
}
