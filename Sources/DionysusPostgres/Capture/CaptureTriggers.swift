import Dionysus

/// The triggers that write a table's changes into the outbox: one per operation, each of them one insert per kind of
/// record for all rows of a statement, however many.
struct CaptureTriggers {
    let capture: TableCapture
    let table: TableDescription
    let outbox: TableDescription
    let dialect: PostgresDialect

    static func triggerName(_ operation: String) -> String { "dionysus_capture_\(operation)" }

    /// PostgreSQL would cut a name that is too long, and one table's functions would replace another's.
    static func functionName(_ table: String, _ operation: String) -> String {
        let name = "dionysus_capture_\(table.replacing(".", with: "_"))_\(operation)"
        guard name.utf8.count > 63 else { return name }
        // FNV-1a.
        let hash = table.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
        return "dionysus_capture_\(String(hash, radix: 16))_\(operation)"
    }

    func statements() -> [SQL] {
        [
            function("insert", body: insertBody()),
            // Old and new rows are hashed to be joined, in memory, if there is enough. The planner, which knows nothing of
            // their keys, would rather sort both, which takes longer.
            function("update", settings: "SET work_mem = '64MB' SET enable_mergejoin = off", body: updateBody()),
            function("delete", body: deleteBody()),
            function("truncate", body: truncateBody),
        ] + ([capture.table] + table.partitions).flatMap(triggers(on:))
    }

    private func triggers(on table: String) -> [SQL] {
        [
            trigger("insert", on: table, "REFERENCING NEW TABLE AS dionysus_new"),
            trigger("update", on: table, "REFERENCING OLD TABLE AS dionysus_old NEW TABLE AS dionysus_new"),
            trigger("delete", on: table, "REFERENCING OLD TABLE AS dionysus_old"),
            trigger("truncate", on: table, ""),
        ]
    }

    private func trigger(_ operation: String, on table: String, _ transitionTables: String) -> SQL {
        """
        CREATE OR REPLACE TRIGGER \(identifier: Self.triggerName(operation))
        \(raw: operation == "truncate" ? "BEFORE" : "AFTER") \(raw: operation.uppercased()) ON \(identifier: table)
        \(raw: transitionTables) FOR EACH STATEMENT
        EXECUTE FUNCTION \(identifier: Self.functionName(capture.table, operation))()
        """
    }

    /// Writers need no rights on the outbox, and what they have in their search path does not matter.
    ///
    /// Nothing is compiled: the planner can't tell how few rows a transition table has, and compiling costs as much as
    /// a hundred thousand rows do.
    private func function(_ operation: String, settings: String = "", body: String) -> SQL {
        """
        DO $dionysus_do$ BEGIN EXECUTE format($dionysus_format$
        CREATE OR REPLACE FUNCTION \(raw: quoted(Self.functionName(capture.table, operation)))() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = %s SET jit = off \(raw: settings) AS $dionysus$
        DECLARE
        dionysus_now timestamp := clock_timestamp() AT TIME ZONE 'UTC';
        dionysus_rows bigint;
        \(raw: hasContext ? Self.context : "")
        BEGIN
        IF current_setting('dionysus.capture', true) = 'off' THEN RETURN NULL; END IF;
        \(raw: body.replacing("%", with: "%%"))
        \(raw: Self.wakeUp)
        RETURN NULL;
        END $dionysus$
        $dionysus_format$, 'pg_catalog, ' || quote_ident(current_schema()) || ', pg_temp'); END $dionysus_do$
        """
    }

    /// Tells a relay that waits.
    ///
    /// A relay that waits holds the lock alone. While none does, the change is not announced, since announcing makes
    /// commits wait for each other; and the relay can't begin to wait before this transaction has ended.
    static let wakeUp = """
        IF NOT pg_try_advisory_xact_lock_shared(\(PostgresOutbox.wakeUpLock)) THEN
          PERFORM pg_notify('\(PostgresOutbox.wakeUpChannel)', '');
        END IF;
        """

    private static let context = """
        dionysus_traceparent text := nullif(current_setting('dionysus.traceparent', true), '');
        dionysus_tracestate text := nullif(current_setting('dionysus.tracestate', true), '');
        """

    private var hasContext: Bool { outbox.column("traceparent") != nil && outbox.column("tracestate") != nil }

    private func quoted(_ name: String) -> String { dialect.quoted(name) }

    private func literal(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }

    private func event(_ record: RecordCapture, _ change: EventName.Change) -> String {
        literal(EventName(record.singular, change).description)
    }

    private var key: String { quoted(capture.primaryKey) }

    private func partitionKey(_ topic: RecordCapture.Topic, of alias: String) -> String {
        switch topic.partitionKey {
        case .none: "NULL::text"
        case .column(let column): "\(alias).\(quoted(column))::text"
        case .constant(let text): "\(literal(text))::text"
        }
    }

    // MARK: Rows of the outbox

    /// What one row in the outbox has.
    private struct OutboxValues {
        var modelName: String
        var id: String
        var event: String
        var topic: String
        var partitionKey: String
        var changeset: String
    }

    private func insert(_ values: OutboxValues, from: String) -> String {
        """
        INSERT INTO dionysus_outboxes
          (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at\(
            hasChangeset ? ", changeset" : "")\(hasContext ? ", traceparent, tracestate" : ""))
        SELECT \(literal(values.modelName)), \(values.id), \(values.event), \(values.topic), \(values.partitionKey),
          dionysus_now, dionysus_now\(hasChangeset ? ", \(stored(values.changeset))" : "")\(
            hasContext ? ", dionysus_traceparent, dionysus_tracestate" : "")
        \(from);
        """
    }

    /// Whether the outbox has changesets: dionysus-rb's has, where its application observes anything.
    private var hasChangeset: Bool { outbox.column("changeset") != nil }

    /// The changeset as the outbox's column takes it: another program may have created the table.
    private func stored(_ changeset: String) -> String {
        guard let column = outbox.column("changeset"), column.declaredType != "jsonb" || !column.isNullable else {
            return changeset
        }
        let value = column.isNullable ? changeset : "coalesce(\(changeset), '{}')"
        return "(\(value))::\(column.declaredType)"
    }

    /// One insert for all topics of a model.
    /// - Parameters:
    ///   - event: The name of the event.
    ///   - source: The rows of the model's table, after `FROM`.
    ///   - condition: Which of them.
    ///   - values: The id, and the partition key and the changeset for a topic.
    private func insert(
        _ record: RecordCapture,
        event: String,
        id: String,
        from source: String,
        where condition: String? = nil,
        values: (RecordCapture.Topic) -> (partitionKey: String, changeset: String)
    ) -> String {
        let topics = record.topics.map { topic in
            let (partitionKey, changeset) = values(topic)
            return "(\(literal(topic.name)), \(partitionKey), \(changeset))"
        }
        guard !topics.isEmpty else { return "" }
        return insert(
            OutboxValues(
                modelName: record.modelName,
                id: id,
                event: event,
                topic: "topic.name",
                partitionKey: "topic.partition_key",
                changeset: "topic.changeset"
            ),
            from: """
                FROM \(source)
                CROSS JOIN LATERAL (VALUES \(topics.joined(separator: ", "))) AS topic (name, partition_key, changeset)
                \(condition.map { "WHERE \($0)" } ?? "")
                """
        )
    }

    // MARK: Bodies

    private func insertBody() -> String {
        let own = capture.records.map { record in
            insert(record, event: event(record, .created), id: "n.\(key)::text", from: "dionysus_new n") { topic in
                (partitionKey(topic, of: "n"), changeset(entries.ofInsert(record)))
            }
        }
        let others = capture.affected.map { affected in
            self.affected(affected) { columns in
                "SELECT DISTINCT \(list(columns, of: "n")) FROM dionysus_new n"
            }
        }
        return (own + others).joined(separator: "\n")
    }

    private func deleteBody() -> String {
        let own = capture.records.map { record in
            insert(record, event: event(record, .destroyed), id: "o.\(key)::text", from: "dionysus_old o") { topic in
                (partitionKey(topic, of: "o"), changeset(entries.ofDelete(record)))
            }
        }
        let others = capture.affected.map { affected in
            self.affected(affected) { columns in
                "SELECT DISTINCT \(list(columns, of: "o")) FROM dionysus_old o"
            }
        }
        return (own + others).joined(separator: "\n")
    }

    /// Old and new rows side by side, joined by their primary key: what has no partner has changed its key.
    ///
    /// A full join is never carried out as a loop over the rows, whatever number of rows the plan was made for.
    private var bothRows: String {
        let isSame = pairingColumns.map { "n.\($0) = o.\($0)" }.joined(separator: " AND ")
        return "dionysus_old o FULL JOIN dionysus_new n ON \(isSame)"
    }

    /// The columns that tell which old and new row are the same: a model's primary key; of a table between models the
    /// whole key that it has in the database, if any.
    private var pairingColumns: [String] {
        capture.records.isEmpty && capture.observed == nil ? table.primaryKey.map(quoted) : [key]
    }

    private func updateBody() -> String {
        var statements = capture.records.map(update)
        statements += capture.affected.map { affectedByUpdate($0) }
        if let observed = capture.observed { statements.append(observation(observed)) }
        return statements.joined(separator: "\n")
    }

    /// First the rows in which a cheap column differs.
    ///
    /// If those weren't all, the others are compared as a whole, for which they have to be carried through the join as a
    /// whole; and rows whose key has changed are looked for. The old rows are all, since an update adds none.
    private func update(_ record: RecordCapture) -> String {
        let hasOtherKey = "n.\(key) IS NULL OR o.\(key) IS NULL"
        guard let cheapDiffers else {
            return update(record, where: "\(hasOtherKey) OR \(rowDiffers)\(isPublished(record))")
        }
        return """
            \(update(record, where: "\(hasSameKey) AND \(cheapDiffers)\(isPublished(record))"))
            GET DIAGNOSTICS dionysus_rows = ROW_COUNT;
            IF dionysus_rows < \(record.topics.count) * (SELECT count(*) FROM dionysus_old) THEN
            \(update(record, where: "\(hasOtherKey) OR NOT \(cheapDiffers) AND \(rowDiffers)\(isPublished(record))"))
            END IF;
            """
    }

    private func update(_ record: RecordCapture, where condition: String) -> String {
        insert(
            record,
            event: changeOfUpdate(record),
            id: "coalesce(n.\(key), o.\(key))::text",
            from: bothRows,
            where: condition
        ) { topic in
            (partitionKeyOfUpdate(topic), changeset(entries.ofUpdate(record, topic)))
        }
    }

    /// `coalesce` hides from the planner that an inner join would do.
    private var hasSameKey: String { "coalesce(n.\(key) = o.\(key), false)" }

    private func partitionKeyOfUpdate(_ topic: RecordCapture.Topic) -> String {
        guard topic.partitionKeyColumn != nil else { return partitionKey(topic, of: "n") }
        return """
            CASE WHEN n.\(key) IS NULL THEN \(partitionKey(topic, of: "o")) ELSE \(partitionKey(topic, of: "n")) END
            """
    }

    /// What changes while a record is soft-deleted is not published.
    private func isPublished(_ record: RecordCapture) -> String {
        guard let column = record.softDeleteColumn.map(quoted), !record.updatesAfterSoftDelete else { return "" }
        return " AND (n.\(column) IS NULL OR n.\(column) IS DISTINCT FROM o.\(column))"
    }

    private func changeOfUpdate(_ record: RecordCapture) -> String {
        var cases = """
            CASE WHEN o.\(key) IS NULL THEN \(event(record, .created))
              WHEN n.\(key) IS NULL THEN \(event(record, .destroyed))
            """
        if let column = record.softDeleteColumn.map(quoted) {
            cases += """

                WHEN n.\(column) IS NOT NULL AND n.\(column) IS DISTINCT FROM o.\(column)
                  THEN \(event(record, .destroyed))
                WHEN n.\(column) IS NULL AND o.\(column) IS NOT NULL THEN \(event(record, .created))
                """
        }
        return cases + " ELSE \(event(record, .updated)) END"
    }

    private var truncateBody: String {
        """
        RAISE EXCEPTION 'TRUNCATE names no records, so that their removal can''t be published: table %', TG_TABLE_NAME
          USING HINT = 'Use DELETE, or SET LOCAL dionysus.capture = ''off'' to remove the rows without publishing it.';
        """
    }

    // MARK: Comparing

    /// Whether a row has changed, by its image: equal numbers may be written differently, and `json` has no equality.
    private let rowDiffers = "o *<> n"

    /// Whether a row has changed in a column whose values are cheap to compare, as most changes do, first of all in the
    /// one that tells when the row was changed.
    private var cheapDiffers: String? {
        let cheap = table.columns.filter { column in
            switch column.type {
            case .bool, .integer, .decimal, .double, .timestamp, .uuid: column.name != capture.primaryKey
            default: false
            }
        }
        guard !cheap.isEmpty else { return nil }
        let ordered = cheap.filter { $0.name == "updated_at" } + cheap.filter { $0.name != "updated_at" }
        return "(" + ordered.map { differs($0.name) }.joined(separator: " OR ") + ")"
    }

    private var anyColumnDiffers: String {
        "(\([cheapDiffers, rowDiffers].compactMap(\.self).joined(separator: " OR ")))"
    }

    private func differs(_ column: String) -> String {
        "\(comparable(column, "o")) IS DISTINCT FROM \(comparable(column, "n"))"
    }

    /// Types without an equality, such as `json`, are compared as text.
    private func comparable(_ column: String, _ alias: String) -> String {
        let value = "\(alias).\(quoted(column))"
        return switch table.column(column)?.type {
        case .json, nil: value + "::text"
        default: value
        }
    }

    // MARK: Changesets

    private func changeset(_ entries: [ChangesetEntry]) -> String {
        let columns = entries.reduce(into: [String]()) { if !$0.contains($1.column) { $0.append($1.column) } }
        let cases = columns.map { column in
            entries.filter { $0.column == column }
                .map { entry in
                    let value = entry.values.map { "jsonb_build_array(\($0.old), \($0.new))" } ?? "NULL::jsonb"
                    return "WHEN \(entry.condition) THEN jsonb_build_object(\(literal(column)), \(value))"
                }
                .joined(separator: "\n ")
        }
        switch cases.count {
        case 0: return "NULL::jsonb"
        case 1: return "CASE \(cases[0]) END"
        default:
            let members = cases.map { "CASE \($0) ELSE '{}'::jsonb END" }
            return "nullif(\(members.joined(separator: "\n || ")), '{}'::jsonb)"
        }
    }

    private var entries: ChangesetEntries {
        ChangesetEntries(
            columns: table.columns.map(\.name),
            old: "o",
            new: "n",
            always: "true",
            isSameRecord: "o.\(key) = n.\(key)",
            isGone: "n.\(key) IS NULL",
            quoted: quoted,
            value: { "\($1).\(quoted($0))" },
            differs: differs
        )
    }

    // MARK: Affected records

    private func list(_ columns: [String], of alias: String) -> String {
        columns.map { "\(alias).\(quoted($0))" }.joined(separator: ", ")
    }

    /// Both the rows as they were and as they are, so that what they left is published too.
    private func affectedByUpdate(_ affected: AffectedCapture) -> String {
        let differs =
            affected.columns.map { columns in
                "(" + columns.map { self.differs($0) }.joined(separator: " OR ") + ")"
            } ?? anyColumnDiffers
        return self.affected(affected) { columns in
            guard let paired = pairingColumns.first else {
                let (old, new) = (list(columns, of: "o"), list(columns, of: "n"))
                return "SELECT \(old) FROM dionysus_old o UNION SELECT \(new) FROM dionysus_new n"
            }
            let names = columns.map(quoted).joined(separator: ", ")
            return """
                SELECT DISTINCT \(list(columns, of: "side")) FROM \(bothRows)
                CROSS JOIN LATERAL (VALUES (\(list(columns, of: "o"))), (\(list(columns, of: "n")))) AS side (\(names))
                WHERE n.\(paired) IS NULL OR o.\(paired) IS NULL OR \(differs)
                """
        }
    }

    /// - Parameter changed: The values that lead away from changed rows: a query for these columns.
    private func affected(_ affected: AffectedCapture, changed: ([String]) -> String) -> String {
        let record = affected.record
        let end = "t\(affected.path.count)"
        guard let first = affected.path.first else { return "" }
        let joins = affected.path.enumerated()
            .map { index, hop in
                let (source, target) = (index == 0 ? "changed" : "t\(index)", "t\(index + 1)")
                let condition = hop.condition.map { condition in
                    let alias = condition.side == .source ? source : target
                    return " AND \(alias).\(quoted(condition.column)) = \(literal(condition.value))"
                }
                return """
                    JOIN \(quoted(hop.otherTable)) \(target)
                      ON \(target).\(quoted(hop.otherColumn)) = \(source).\(quoted(hop.column))\(condition ?? "")
                    """
            }
        let columns = [first.column] + (first.sourceCondition.map { [$0.column] } ?? [])
        let isVisible = record.softDeleteColumn.map { column in
            record.updatesAfterSoftDelete ? "" : "WHERE \(end).\(quoted(column)) IS NULL"
        }
        let keys = record.topics.map { "\(partitionKey($0, of: end))" }
        // The partition keys are the record's own, so that they don't multiply the records.
        let names = keys.indices.map { "key\($0)" }
        let selected = ["\(end).\(quoted(record.primaryKey)) AS id"] + zip(keys, names).map { "\($0) AS \($1)" }
        let topics = zip(record.topics, names).map { ($0.0.name, $0.1) }
        guard !topics.isEmpty else { return "" }
        return insert(
            OutboxValues(
                modelName: record.modelName,
                id: "affected.id::text",
                event: event(record, .updated),
                topic: "topic.name",
                partitionKey: "topic.partition_key",
                changeset: "NULL::jsonb"
            ),
            from: """
                FROM (
                  SELECT DISTINCT \(selected.joined(separator: ", "))
                  FROM (\(changed(columns))) changed \(joins.joined(separator: "\n")) \(isVisible ?? "")
                ) affected CROSS JOIN LATERAL (
                  VALUES \(topics.map { "(\(literal($0)), affected.\($1))" }.joined(separator: ", "))
                ) AS topic (name, partition_key)
                """
        )
    }

    // MARK: Observed columns

    /// Only the names of the observed columns that changed, and no values.
    private func observation(_ observed: ObservedCapture) -> String {
        let entries = observed.columns.map { ChangesetEntry(column: $0, condition: differs($0), values: nil) }
        let isChanged = observed.columns.map { differs($0) }.joined(separator: " OR ")
        return insert(
            OutboxValues(
                modelName: observed.modelName,
                id: "n.\(key)::text",
                event: literal(EventName(observed.singular, .updated).description),
                topic: "'__outbox_observer__'",
                partitionKey: "NULL",
                changeset: changeset(entries)
            ),
            from: "FROM \(bothRows) WHERE \(hasSameKey) AND (\(isChanged))"
        )
    }
}

extension AssociationHop {
    /// The condition on the table that the step begins at.
    fileprivate var sourceCondition: Condition? { condition?.side == .source ? condition : nil }
}
