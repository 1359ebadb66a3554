import Dionysus

/// The functions that write a table's changes into the outbox: one for each operation, each of them one insert per kind
/// of record for all rows of a statement, however many.
///
/// Every name is written with its schema, as the catalogue has it, and our own names begin with `dionysus_`.
struct CaptureFunctions {
    /// A trigger function.
    struct Function {
        let operation: CaptureOperation
        let body: String
        /// `SET` clauses: settings and their values.
        let settings: [(name: String, value: String)]
    }

    let capture: TableCapture
    let table: CapturedTable
    let outbox: CaptureOutbox
    /// The tables of the paths to affected records, by the names under which the declaration knows them.
    let tables: [String: CapturedTable]

    private static let old = "dionysus_old"
    private static let new = "dionysus_new"

    /// Whether keys are compared by their texts, whatever their type.
    private var pairsTexts = false

    init(capture: TableCapture, table: CapturedTable, outbox: CaptureOutbox, tables: [String: CapturedTable]) {
        self.capture = capture
        self.table = table
        self.outbox = outbox
        self.tables = tables
    }

    func all() -> [Function] {
        // A hash join of old and new rows needs memory. The planner, which knows nothing of their keys, would rather sort
        // both, which takes longer.
        let hashing = [("work_mem", "64MB"), ("enable_mergejoin", "off")]
        return [
            plainFunction(.insert, inserts) ?? function(.insert, pathCheck + insertBody()),
            function(.update, pathCheck + (updateBodyByType() ?? updateBody()), hashing),
            plainFunction(.delete, deletions) ?? function(.delete, pathCheck + deleteBody()),
            function(.truncate, truncateBody),
        ]
    }

    // MARK: Frame

    private func function(
        _ operation: CaptureOperation,
        _ body: String,
        _ settings: [(name: String, value: String)] = []
    ) -> Function {
        // Compiling costs as much as a hundred thousand rows do, and the planner can't tell how few there are.
        var all = [(name: "search_path", value: "pg_catalog, pg_temp"), (name: "jit", value: "off")] + settings
        if textDependsOnSettings {
            all += [
                ("DateStyle", "ISO"), ("TimeZone", "UTC"), ("IntervalStyle", "postgres"), ("extra_float_digits", "1"),
                ("bytea_output", "hex"), ("array_nulls", "on"),
            ]
        }
        let body = """
            \(binding)
            \(suppression)
            \(operation == .truncate ? "" : "dionysus_now := \(clock);\n\(trace)")
            \(body)
            \(operation == .truncate ? "" : wakeUp)
            """
        return Function(operation: operation, body: text(body), settings: all)
    }

    private func text(_ body: String, declaring variable: String = "") -> String {
        """

        #variable_conflict use_variable
        DECLARE
        dionysus_now \(outbox.timeType);
        \(variable)
        \(outbox.hasContext ? "dionysus_traceparent pg_catalog.text;\ndionysus_tracestate pg_catalog.text;" : "")
        BEGIN
        \(body)
        RETURN NULL;
        END
        """
    }

    // MARK: Plain functions

    /// Whether the function of an operation needs no setting of its own: it reads columns only to write the texts that their
    /// types' output functions give, and those are the same in every session.
    ///
    /// Each call of a function that has settings costs as much as a quarter of an insert: the server looks through all of its
    /// own to set them back.
    private func isPlain(_ operation: CaptureOperation) -> Bool {
        guard capture.affected.isEmpty, !capture.records.isEmpty, !textDependsOnSettings, outbox.storesPlainChangesets,
            writtenColumns.allSatisfy(table.isReadAsItIs)
        else { return false }
        let entries = entries
        return capture.records.allSatisfy { record in
            (operation == .insert ? entries.ofInsert(record) : entries.ofDelete(record)).isEmpty
        }
    }

    /// A function that looks names up in the writer's search path: every function, operator and type in it stands there with its
    /// schema, but for types that are words of the language.
    ///
    /// Most calls find by one condition that nothing is out of the ordinary, and write. A plan that was made for very many
    /// rows might have been compiled, for the few rows of later statements too: it is forgotten.
    /// - Parameter writing: The statements that write, one for each model.
    /// - Returns: The function, or nil if it can't be plain.
    private func plainFunction(_ operation: CaptureOperation, _ writing: [String]) -> Function? {
        guard isPlain(operation) else { return nil }
        let isTraced = "pg_catalog.current_setting('dionysus.traceparent', true) OPERATOR(pg_catalog.<>) ''"
        let isUnusual =
            [isOtherTable, "pg_catalog.current_setting('dionysus.capture', true) OPERATOR(pg_catalog.=) 'off'"]
            + (outbox.hasContext ? [isTraced] : [])
            // The lock is held until the transaction ends, so that it may as well be taken before the rows are written.
            + ["NOT pg_catalog.pg_try_advisory_xact_lock_shared(\(outbox.wakeUpLock))"]
        let forgetting = """
            GET DIAGNOSTICS dionysus_count = ROW_COUNT;
            IF dionysus_count OPERATOR(pg_catalog.>) 1000000 THEN
              DISCARD PLANS;
            END IF;
            """
        let body = """
            IF \(isUnusual.joined(separator: "\n  OR ")) THEN
            \(binding)
            \(suppression)
            \(trace)
            \(wakeUp)
            END IF;
            dionysus_now := \(clock);
            \(writing.map { "\($0)\n\(forgetting)" }.joined(separator: "\n"))
            """
        return Function(operation: operation, body: text(body, declaring: "dionysus_count bigint;"), settings: [])
    }

    // MARK: Parts

    private var isOtherTable: String {
        """
        TG_TABLE_NAME OPERATOR(pg_catalog.<>) \(quotedLiteral(table.baseName))
          OR TG_TABLE_SCHEMA OPERATOR(pg_catalog.<>) \(quotedLiteral(table.schema))
        """
    }

    /// Refuses any table but the captured one, its partitions and what inherits from it, before anything else.
    ///
    /// A table that was renamed is known by its number, one that was restored from a dump by its name.
    private var binding: String {
        let name = quotedLiteral(table.name)
        return """
            IF \(isOtherTable) THEN
              IF pg_catalog.to_regclass(\(quotedLiteral(outbox.name))) IS NULL THEN
                RAISE EXCEPTION 'the change of table % can''t be captured: there is no table %', TG_TABLE_NAME, \(quotedLiteral(outbox.name))
                  USING HINT = 'If its schema was renamed, run the application''s migrate. To stop capturing, run its uninstall.';
              END IF;
              IF NOT EXISTS (
                WITH RECURSIVE dionysus_up (relation) AS (
                  SELECT TG_RELID::pg_catalog.oid
                  UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i
                    JOIN dionysus_up ON i.inhrelid OPERATOR(pg_catalog.=) dionysus_up.relation
                )
                SELECT 1 FROM dionysus_up WHERE relation OPERATOR(pg_catalog.=) (
                    /* A function that finds a table by its name needs a right on the table's schema. */
                    SELECT c.oid FROM pg_catalog.pg_class c
                    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
                    WHERE c.relname OPERATOR(pg_catalog.=) \(quotedLiteral(table.baseName))
                      AND n.nspname OPERATOR(pg_catalog.=) \(quotedLiteral(table.schema))
                  )
                  OR EXISTS (
                    SELECT 1 FROM \(outbox.notes) m
                    WHERE m.name OPERATOR(pg_catalog.=) pg_catalog.concat('\(CaptureNotes.relation)', relation)
                      AND m.value OPERATOR(pg_catalog.=) \(name)
                  )
              ) THEN
                RAISE EXCEPTION 'the trigger function of table % captures the changes of another table, %', TG_TABLE_NAME, \(quotedLiteral(table.name))
                  USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Only migrate installs this trigger function. Drop the trigger, and run migrate.';
              END IF;
            END IF;
            """
    }

    /// Leaves changes out for those who may ask for it, and notes that they did.
    private var suppression: String {
        """
        IF pg_catalog.current_setting('dionysus.capture', true) OPERATOR(pg_catalog.=) 'off' THEN
          IF \(outbox.maySuppress) THEN
            INSERT INTO \(outbox.suppressions) (transaction_id, role_name, suppressed_at)
            VALUES (pg_catalog.concat(pg_catalog.pg_current_xact_id()), session_user, pg_catalog.clock_timestamp())
            ON CONFLICT (transaction_id) DO NOTHING;
            RETURN NULL;
          END IF;
          RAISE WARNING 'dionysus.capture is ignored: role % may not suppress capture', session_user
            USING HINT = \(quotedLiteral(outbox.suppressionHint));
        END IF;
        """
    }

    /// The trace context if its form is W3C's: anybody who writes can set it to anything.
    private var trace: String {
        guard outbox.hasContext else { return "" }
        return """
            dionysus_traceparent := pg_catalog.current_setting('dionysus.traceparent', true);
            IF dionysus_traceparent OPERATOR(pg_catalog.<>) '' THEN
              IF pg_catalog.octet_length(dionysus_traceparent) OPERATOR(pg_catalog.<>) 55
                OR dionysus_traceparent OPERATOR(pg_catalog.!~) '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' THEN
                dionysus_traceparent := NULL;
              ELSE
                dionysus_tracestate := pg_catalog.current_setting('dionysus.tracestate', true);
                IF dionysus_tracestate OPERATOR(pg_catalog.=) ''
                  OR pg_catalog.octet_length(dionysus_tracestate) OPERATOR(pg_catalog.>) 512
                  OR dionysus_tracestate OPERATOR(pg_catalog.!~) '^[ -~]*$' THEN
                  dionysus_tracestate := NULL;
                END IF;
              END IF;
            ELSE
              dionysus_traceparent := NULL;
            END IF;
            """
    }

    private var clock: String {
        "pg_catalog.clock_timestamp()" + (outbox.hasZones ? "" : " AT TIME ZONE 'UTC'")
    }

    /// Tells a relay that waits.
    ///
    /// A relay that waits holds the lock alone. While none does, the change is not announced, since announcing makes
    /// commits wait for each other; and the relay can't begin to wait before this transaction has ended. A transaction
    /// that announces can't be prepared for a commit in two phases: where the server allows those, relays poll. So they do
    /// while the server's queue fills, as anybody who listens and never ends a transaction can make it: a full one makes
    /// commits fail.
    private var wakeUp: String {
        """
        IF NOT pg_catalog.pg_try_advisory_xact_lock_shared(\(outbox.wakeUpLock)) THEN
          IF pg_catalog.current_setting('max_prepared_transactions') OPERATOR(pg_catalog.=) '0' THEN
            PERFORM pg_catalog.pg_notify(w.channel, '') FROM \(outbox.wakeUps) w
              WHERE pg_catalog.pg_notification_queue_usage() OPERATOR(pg_catalog.<) 0.5;
          END IF;
        END IF;
        """
    }

    private var truncateBody: String {
        """
        RAISE EXCEPTION 'TRUNCATE names no records, so that their removal can''t be published: table %', TG_TABLE_NAME
          USING HINT = 'Use DELETE, or SET LOCAL dionysus.capture = ''off'' to remove the rows without publishing it.';
        """
    }

    // MARK: Affected records: what their paths need

    /// The columns of other tables that are compared by operators, which only the types of PostgreSQL's own are safe for.
    private var joinedColumns: [(table: CapturedTable, column: CapturedTable.Column)] {
        var seen: Set<String> = []
        return capture.affected
            .flatMap { affected in
                affected.path.enumerated()
                    .flatMap { index, hop -> [(CapturedTable, CapturedTable.Column)] in
                        guard let table = tables[hop.otherTable] else { return [] }
                        let next = index + 1 < affected.path.count ? affected.path[index + 1].sourceColumns : []
                        let names = hop.targetColumns + next
                        return names.compactMap { name in table.column(name).map { (table, $0) } }
                    }
            }
            .filter { seen.insert("\($0.0.name).\($0.1.name)").inserted }
            .map { (table: $0.0, column: $0.1) }
    }

    /// The columns of this table that lead away from its rows.
    private var leadingColumns: [CapturedTable.Column] {
        let names = Set(capture.affected.flatMap { $0.path.first?.sourceColumns ?? [] })
        return table.columns.filter { names.contains($0.name) }
    }

    /// Refuses the write rather than lose the change, and before anything of those tables is read.
    ///
    /// A view in a table's place, a policy on it, or a type of the owner's own would run the owner's code. A column that
    /// has become another type of whole numbers, or of texts, is compared as before.
    private var pathCheck: String {
        let joined = joinedColumns.map { table, column in
            "(\(quotedLiteral(table.name)), \(quotedLiteral(column.name)), \(quotedLiteral(column.type)))"
        }
        guard !joined.isEmpty else { return "" }
        let leading = leadingColumns.map { column in
            "(NULL, \(quotedLiteral(column.name)), \(quotedLiteral(column.type)))"
        }
        return """
            IF \(joined.count + leading.count) <> (
              /* By its name: a cast to regtype needs a right on the type's schema. */
              SELECT pg_catalog.count(*)
              FROM (VALUES \((joined + leading).joined(separator: ", "))) AS dionysus_needed (relation, attribute, type)
              JOIN pg_catalog.pg_class c ON c.oid = CASE WHEN dionysus_needed.relation IS NULL THEN TG_RELID
                ELSE pg_catalog.to_regclass(dionysus_needed.relation)::pg_catalog.oid END
              JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = dionysus_needed.attribute::pg_catalog.name
              JOIN pg_catalog.pg_type t ON t.oid = a.atttypid JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
              WHERE (
                dionysus_needed.type = pg_catalog.concat(
                  '"', pg_catalog.replace(n.nspname::text, '"', '""'), '"."', pg_catalog.replace(t.typname::text, '"', '""'), '"'
                )
                OR dionysus_needed.type IN ('"pg_catalog"."int2"', '"pg_catalog"."int4"', '"pg_catalog"."int8"')
                  AND t.oid IN (20, 21, 23)
                OR dionysus_needed.type IN ('"pg_catalog"."text"', '"pg_catalog"."varchar"') AND t.oid IN (25, 1043)
              ) AND (
                dionysus_needed.relation IS NULL
                OR c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND pg_catalog.row_security_active(c.oid))
              )
            ) THEN
              RAISE EXCEPTION 'the records that a change of table % is a part of can''t be found: a table or column on the way to them was renamed, dropped, retyped or replaced, or row-level security hides its rows', TG_TABLE_NAME
                USING HINT = 'Run migrate: its report names what has changed.';
            END IF;

            """
    }

    /// The columns of this table whose texts are written.
    private var writtenColumns: [String] {
        var columns = [capture.primaryKey]
        for record in capture.records {
            columns += record.topics.compactMap(\.partitionKeyColumn) + record.keptColumns
            if record.changeset == .values { columns += record.columns ?? table.columns.map(\.name) }
        }
        for affected in capture.affected { columns += affected.path.first?.sourceColumns ?? [] }
        return columns
    }

    private var textDependsOnSettings: Bool {
        if writtenColumns.contains(where: table.textDependsOnSettings) { return true }
        return capture.affected.contains { affected in
            guard let end = affected.path.last.flatMap({ tables[$0.otherTable] }) else { return false }
            let columns = [affected.record.primaryKey] + affected.record.topics.compactMap(\.partitionKeyColumn)
            return columns.contains(where: end.textDependsOnSettings)
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
        INSERT INTO \(outbox.name)
          /* If a column is missing here, it was renamed or dropped: run the application's migrate, or bring it back. */
          (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at\(
            outbox.hasChangeset ? ", changeset" : "")\(outbox.hasContext ? ", traceparent, tracestate" : ""))
        SELECT \(quotedLiteral(values.modelName)), \(values.id), \(values.event), \(values.topic), \(values.partitionKey),
          dionysus_now, dionysus_now\(outbox.hasChangeset ? ", \(outbox.stored(values.changeset))" : "")\(
            outbox.hasContext ? ", dionysus_traceparent, dionysus_tracestate" : "")
        \(from);
        """
    }

    /// One insert for all topics of a model.
    /// - Parameters:
    ///   - event: The name of the event.
    ///   - source: The rows of the model's table, after `FROM`.
    ///   - condition: Which of them.
    ///   - values: The partition key and the changeset for a topic.
    private func insert(
        _ record: RecordCapture,
        event: String,
        id: String,
        from source: String,
        where condition: String? = nil,
        values: (RecordCapture.Topic) -> (partitionKey: String, changeset: String)
    ) -> String {
        let filter = condition.map { "\nWHERE \($0)" } ?? ""
        if record.topics.count == 1, let topic = record.topics.first {
            let (partitionKey, changeset) = values(topic)
            return insert(
                OutboxValues(
                    modelName: record.modelName,
                    id: id,
                    event: event,
                    topic: quotedLiteral(topic.name),
                    partitionKey: partitionKey,
                    changeset: changeset
                ),
                from: "FROM \(source)\(filter)"
            )
        }
        let topics = record.topics.map { topic in
            let (partitionKey, changeset) = values(topic)
            return "(\(quotedLiteral(topic.name)), \(partitionKey), \(changeset))"
        }
        guard !topics.isEmpty else { return "" }
        return insert(
            OutboxValues(
                modelName: record.modelName,
                id: id,
                event: event,
                topic: "dionysus_topic.name",
                partitionKey: "dionysus_topic.partition_key",
                changeset: "dionysus_topic.changeset"
            ),
            from: """
                FROM \(source)
                CROSS JOIN LATERAL (VALUES \(topics.joined(separator: ", ")))
                  AS dionysus_topic (name, partition_key, changeset)\(filter)
                """
        )
    }

    private func event(_ record: RecordCapture, _ change: EventName.Change) -> String {
        quotedLiteral(EventName(record.singular, change).description)
    }

    private func partitionKey(_ topic: RecordCapture.Topic, of alias: String, in table: CapturedTable) -> String {
        switch topic.partitionKey {
        case .none: "NULL::pg_catalog.text"
        case .column(let column): table.text(column, alias)
        case .constant(let text): "\(quotedLiteral(text))::pg_catalog.text"
        }
    }

    private func value(_ column: String, _ alias: String) -> String { CapturedTable.value(column, alias) }

    // MARK: Bodies

    /// The rows of inserted records, a statement for each model.
    private var inserts: [String] {
        capture.records.map { record in
            insert(record, event: event(record, .created), id: id(Self.new), from: Self.new) { topic in
                (partitionKey(topic, of: Self.new, in: table), changeset(entries.ofInsert(record)))
            }
        }
    }

    private func insertBody() -> String {
        let others = capture.affected.map { affected in
            self.affected(affected) { columns in
                "SELECT DISTINCT \(texts(columns, of: Self.new)) FROM \(Self.new)"
            }
        }
        return (inserts + others).joined(separator: "\n")
    }

    /// The rows of deleted records, a statement for each model.
    private var deletions: [String] {
        capture.records.map { record in
            insert(record, event: event(record, .destroyed), id: id(Self.old), from: Self.old) { topic in
                (partitionKey(topic, of: Self.old, in: table), changeset(entries.ofDelete(record)))
            }
        }
    }

    private func deleteBody() -> String {
        let others = capture.affected.map { affected in
            self.affected(affected) { columns in
                "SELECT DISTINCT \(texts(columns, of: Self.old)) FROM \(Self.old)"
            }
        }
        return (deletions + others).joined(separator: "\n")
    }

    /// Numbers are hashed faster than their texts, and texts are compared where the keys have become something else.
    private func updateBodyByType() -> String? {
        let numbers = pairingColumns.filter { isWholeNumber(table.column($0)?.builtInType) }
        guard !numbers.isEmpty else { return nil }
        var slow = self
        slow.pairsTexts = true
        let names = numbers.map { "\(quotedLiteral($0))::pg_catalog.name" }.joined(separator: ", ")
        let domains = numbers.compactMap(table.column).filter { $0.typeNumber == nil }
        let types = ["a.atttypid IN (20, 21, 23)"] + domains.map { CapturedTable.isType($0, "a.atttypid") }
        return """
            IF \(numbers.count) = (
              SELECT pg_catalog.count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = TG_RELID
                AND a.attname IN (\(names)) AND (\(types.joined(separator: " OR ")))
            ) THEN
            \(updateBody())
            ELSE
            \(slow.updateBody())
            END IF;
            """
    }

    private func updateBody() -> String {
        var statements = capture.records.map(update)
        statements += capture.affected.map { affectedByUpdate($0) }
        if let observed = capture.observed { statements.append(observation(observed)) }
        return statements.joined(separator: "\n")
    }

    /// The key's text.
    ///
    /// A row without a key, which no primary key would let in, must not make the write fail.
    private func id(_ alias: String) -> String { table.textOrEmpty(capture.primaryKey, alias) }

    /// Old and new rows side by side, joined by their primary key: what has no partner has changed its key.
    ///
    /// A full join is never carried out as a loop over the rows, whatever number of rows the plan was made for.
    private var bothRows: String {
        let isSame = pairingColumns.map { "\(paired($0, Self.new)) = \(paired($0, Self.old))" }
            .joined(separator: " AND ")
        return "\(Self.old) FULL JOIN \(Self.new) ON \(isSame)"
    }

    /// A key as it is compared.
    private func paired(_ column: String, _ alias: String) -> String {
        let text = table.text(column, alias)
        return !pairsTexts && isWholeNumber(table.column(column)?.builtInType) ? "\(text)::bigint" : text
    }

    private func isWholeNumber(_ type: String?) -> Bool { ["smallint", "integer", "bigint"].contains(type) }

    /// The columns that tell which old and new row are the same: a model's primary key; of a table between models the
    /// whole key that it has in the database, if any.
    private var pairingColumns: [String] {
        capture.records.isEmpty && capture.observed == nil ? table.primaryKey : [capture.primaryKey]
    }

    private func isMissing(_ alias: String) -> String {
        pairingColumns.first.map { "\(value($0, alias)) IS NULL" } ?? "false"
    }

    private func update(_ record: RecordCapture) -> String {
        let hasOtherKey = "\(isMissing(Self.new)) OR \(isMissing(Self.old))"
        let columns = record.columns ?? table.columns.map(\.name)
        return insert(
            record,
            event: changeOfUpdate(record),
            id: "coalesce(\(table.text(capture.primaryKey, Self.new)), \(id(Self.old)))",
            from: bothRows,
            where: "\(hasOtherKey) OR \(table.differ(columns, Self.old, Self.new))\(isPublished(record))"
        ) { topic in
            (partitionKeyOfUpdate(topic), changeset(entries.ofUpdate(record, topic)))
        }
    }

    /// `coalesce` hides from the planner that an inner join would do, which it might carry out as a loop.
    private var hasSameKey: String { "coalesce(NOT (\(isMissing(Self.new)) OR \(isMissing(Self.old))), false)" }

    private func partitionKeyOfUpdate(_ topic: RecordCapture.Topic) -> String {
        let (old, new) = (
            partitionKey(topic, of: Self.old, in: table), partitionKey(topic, of: Self.new, in: table)
        )
        return topic.partitionKeyColumn == nil ? new : "CASE WHEN \(isMissing(Self.new)) THEN \(old) ELSE \(new) END"
    }

    /// What changes while a record is soft-deleted is not published.
    private func isPublished(_ record: RecordCapture) -> String {
        guard let column = record.softDeleteColumn, !record.updatesAfterSoftDelete else { return "" }
        return " AND (\(value(column, Self.new)) IS NULL OR \(differs(column))\(isExempt(record, Self.new, in: table)))"
    }

    /// Whether a soft-deleted record is one of those whose changes are published, from `OR` on.
    private func isExempt(_ record: RecordCapture, _ alias: String, in table: CapturedTable) -> String {
        guard let condition = record.updatedAfterSoftDelete, !condition.values.isEmpty else { return "" }
        let values = condition.values.map(quotedLiteral).joined(separator: ", ")
        return " OR \(table.text(condition.column, alias)) IN (\(values))"
    }

    private func changeOfUpdate(_ record: RecordCapture) -> String {
        var cases = """
            CASE WHEN \(isMissing(Self.old)) THEN \(event(record, .created))
              WHEN \(isMissing(Self.new)) THEN \(event(record, .destroyed))
            """
        if let column = record.softDeleteColumn {
            let (old, new) = (value(column, Self.old), value(column, Self.new))
            cases += """

                WHEN NOT (\(new) IS NULL) AND \(differs(column)) THEN \(event(record, .destroyed))
                WHEN \(new) IS NULL AND NOT (\(old) IS NULL) THEN \(event(record, .created))
                """
        }
        return cases + " ELSE \(event(record, .updated)) END"
    }

    private func differs(_ column: String) -> String { table.differ([column], Self.old, Self.new) }

    // MARK: Changesets

    private func changeset(_ entries: [ChangesetEntry]) -> String {
        let columns = entries.reduce(into: [String]()) { if !$0.contains($1.column) { $0.append($1.column) } }
        let cases = columns.map { column in
            entries.filter { $0.column == column }
                .map { entry in
                    let value =
                        entry.values.map { "pg_catalog.jsonb_build_array(\($0.old), \($0.new))" } ?? "NULL::jsonb"
                    return "WHEN \(entry.condition) THEN "
                        + "pg_catalog.jsonb_build_object(\(quotedLiteral(column))::text, \(value))"
                }
                .joined(separator: "\n ")
        }
        switch cases.count {
        case 0: return "NULL::pg_catalog.jsonb"
        case 1: return "CASE \(cases[0]) END"
        default:
            let members = cases.map { "CASE \($0) ELSE '{}'::jsonb END" }
            return "nullif(\(members.joined(separator: "\n || ")), '{}'::jsonb)"
        }
    }

    private var entries: ChangesetEntries {
        ChangesetEntries(
            columns: table.columns.map(\.name),
            old: Self.old,
            new: Self.new,
            always: "true",
            isSameRecord: hasSameKey,
            isGone: isMissing(Self.new),
            quoted: quotedName,
            value: table.document,
            differs: differs
        )
    }

    // MARK: Affected records

    private func texts(_ columns: [String], of alias: String) -> String {
        columns.map { "\(table.text($0, alias)) AS \(quotedName($0))" }.joined(separator: ", ")
    }

    private func values(_ columns: [String], of alias: String) -> String {
        columns.map { table.text($0, alias) }.joined(separator: ", ")
    }

    /// Both the rows as they were and as they are, so that what they left is published too.
    private func affectedByUpdate(_ affected: AffectedCapture) -> String {
        let compared = affected.columns ?? table.columns.map(\.name)
        return self.affected(affected) { columns in
            guard !pairingColumns.isEmpty else {
                return """
                    SELECT \(texts(columns, of: Self.old)) FROM \(Self.old)
                    UNION SELECT \(texts(columns, of: Self.new)) FROM \(Self.new)
                    """
            }
            let names = columns.map(quotedName)
            return """
                SELECT DISTINCT \(names.map { "dionysus_side.\($0)" }.joined(separator: ", ")) FROM \(bothRows)
                CROSS JOIN LATERAL (
                  VALUES (\(values(columns, of: Self.old))), (\(values(columns, of: Self.new)))
                ) AS dionysus_side (\(names.joined(separator: ", ")))
                WHERE \(isMissing(Self.new)) OR \(isMissing(Self.old)) OR \(table.differ(compared, Self.old, Self.new))
                """
        }
    }

    /// - Parameter changed: The values that lead away from changed rows, as texts: a query for these columns.
    private func affected(_ affected: AffectedCapture, changed: ([String]) -> String) -> String {
        let record = affected.record
        let end = "dionysus_t\(affected.path.count)"
        guard let first = affected.path.first, let endTable = affected.path.last.flatMap({ tables[$0.otherTable] }),
            !record.topics.isEmpty
        else { return "" }
        let joins = affected.path.enumerated().map { index, hop in join(hop, at: index) }
        let isVisible = record.softDeleteColumn.map { column in
            record.updatesAfterSoftDelete
                ? "" : "WHERE \(value(column, end)) IS NULL\(isExempt(record, end, in: endTable))"
        }
        let keys = record.topics.map { partitionKey($0, of: end, in: endTable) }
        // The partition keys are the record's own, so that they don't multiply the records.
        let names = keys.indices.map { "key\($0)" }
        let selected =
            ["\(endTable.textOrEmpty(record.primaryKey, end)) AS id"]
            + zip(keys, names).map { "\($0) AS \($1)" }
        let topics = zip(record.topics, names).map { ($0.0.name, $0.1) }
        return insert(
            OutboxValues(
                modelName: record.modelName,
                id: "dionysus_affected.id",
                event: event(record, .updated),
                topic: "dionysus_topic.name",
                partitionKey: "dionysus_topic.partition_key",
                changeset: "NULL::jsonb"
            ),
            from: """
                FROM (
                  SELECT DISTINCT \(selected.joined(separator: ", "))
                  FROM (\(changed(first.sourceColumns))) dionysus_changed \(joins.joined(separator: "\n")) \(isVisible ?? "")
                ) dionysus_affected CROSS JOIN LATERAL (
                  VALUES \(topics.map { "(\(quotedLiteral($0)), dionysus_affected.\($1))" }.joined(separator: ", "))
                ) AS dionysus_topic (name, partition_key)
                """
        )
    }

    /// One step of a path.
    ///
    /// What leads away from changed rows is text, and read as the type of the column that it meets: as the widest of its
    /// kind, since a value that the column couldn't hold leads to no row.
    private func join(_ hop: AssociationHop, at index: Int) -> String {
        guard let other = tables[hop.otherTable] else { return "" }
        let (source, target) = (index == 0 ? "dionysus_changed" : "dionysus_t\(index)", "dionysus_t\(index + 1)")
        let type = other.column(hop.otherColumn)?.builtInType ?? "text"
        let widest = isWholeNumber(type) ? "bigint" : CapturedTable.withoutModifier(type)
        let key = value(hop.column, source) + (index == 0 ? "::\(widest)" : "")
        let condition = hop.condition.map { condition in
            let alias = condition.side == .source ? source : target
            return " AND \(value(condition.column, alias)) = \(quotedLiteral(condition.value))"
        }
        return "JOIN \(other.name) AS \(target) ON \(value(hop.otherColumn, target)) = \(key)\(condition ?? "")"
    }

    // MARK: Observed columns

    /// Only the names of the observed columns that changed, and no values.
    private func observation(_ observed: ObservedCapture) -> String {
        let entries = observed.columns.map { ChangesetEntry(column: $0, condition: differs($0), values: nil) }
        return insert(
            OutboxValues(
                modelName: observed.modelName,
                id: id(Self.new),
                event: quotedLiteral(EventName(observed.singular, .updated).description),
                topic: "'__outbox_observer__'",
                partitionKey: "NULL",
                changeset: changeset(entries)
            ),
            from:
                "FROM \(bothRows) WHERE \(hasSameKey) AND \(table.differ(observed.columns, Self.old, Self.new))"
        )
    }
}
