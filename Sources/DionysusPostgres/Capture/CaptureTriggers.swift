import Dionysus

/// The triggers that write a table's changes into the outbox: one per operation, each of them one insert for all rows
/// of a statement, however many.
struct CaptureTriggers {
    static let operations = ["insert", "update", "delete", "truncate"]

    let capture: TableCapture
    let table: TableDescription
    let dialect: PostgresDialect

    static func triggerName(_ operation: String) -> String { "dionysus_capture_\(operation)" }

    static func functionName(_ table: String, _ operation: String) -> String {
        "dionysus_capture_\(table.replacing(".", with: "_"))_\(operation)"
    }

    func statements() -> [SQL] {
        [
            function("insert", body: insertBody()),
            function("update", body: updateBody()),
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
    private func function(_ operation: String, body: String) -> SQL {
        """
        DO $dionysus_do$ BEGIN EXECUTE format($dionysus_format$
        CREATE OR REPLACE FUNCTION \(raw: quoted(Self.functionName(capture.table, operation)))() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = %s AS $dionysus$
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

    private func quoted(_ name: String) -> String { dialect.quoted(name) }

    private func literal(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }

    private static let now = "(clock_timestamp() AT TIME ZONE 'UTC')"

    private static let insert = """
        INSERT INTO dionysus_outboxes
          (resource_class, resource_id, event_name, topic, partition_key, created_at, updated_at, changeset)
        """

    private func event(_ record: RecordCapture, _ change: EventName.Change) -> String {
        literal(EventName(record.singular, change).description)
    }

    private func partitionKey(_ topic: RecordCapture.Topic, of alias: String) -> String {
        topic.partitionKey.map { "\(alias).\(quoted($0))::text" } ?? "NULL"
    }

    // MARK: Bodies

    private func insertBody() -> String {
        let key = quoted(capture.primaryKey)
        var statements = capture.records.flatMap { record in
            record.topics.map { topic in
                """
                \(Self.insert)
                SELECT \(literal(record.modelName)), n.\(key)::text, \(event(record, .created)), \(literal(topic.name)),
                  \(partitionKey(topic, of: "n")), \(Self.now), \(Self.now), NULL
                FROM dionysus_new n ORDER BY n.\(key);
                """
            }
        }
        statements += capture.affected.map { affected($0, changed: "SELECT n.* FROM dionysus_new n") }
        return statements.joined(separator: "\n")
    }

    private func deleteBody() -> String {
        let key = quoted(capture.primaryKey)
        var statements = capture.records.flatMap { record in
            record.topics.map { topic in
                """
                \(Self.insert)
                SELECT \(literal(record.modelName)), o.\(key)::text, \(event(record, .destroyed)), \(literal(topic.name)),
                  \(partitionKey(topic, of: "o")), \(Self.now), \(Self.now), NULL
                FROM dionysus_old o ORDER BY o.\(key);
                """
            }
        }
        statements += capture.affected.map { affected($0, changed: "SELECT o.* FROM dionysus_old o") }
        return statements.joined(separator: "\n")
    }

    /// Old and new rows are joined by their primary key: what has no partner has changed its key.
    ///
    /// Rows are compared as images, because some types (`json`) have no equality.
    private func updateBody() -> String {
        let key = quoted(capture.primaryKey)
        var statements = capture.records.flatMap { record in
            record.topics.map { topic in
                """
                \(Self.insert)
                SELECT * FROM (
                  SELECT \(literal(record.modelName)), coalesce(n.\(key), o.\(key))::text, \(changeOfUpdate(record)) AS event,
                    \(literal(topic.name)),
                    CASE WHEN n.\(key) IS NULL THEN \(partitionKey(topic, of: "o"))
                      ELSE \(partitionKey(topic, of: "n")) END,
                    \(Self.now), \(Self.now), \(move(record, topic))
                  FROM dionysus_old o FULL JOIN dionysus_new n ON n.\(key) = o.\(key)
                  WHERE n.\(key) IS NULL OR o.\(key) IS NULL OR o *<> n
                  ORDER BY coalesce(n.\(key), o.\(key))
                ) changes WHERE event IS NOT NULL;
                """
            }
        }
        statements += capture.affected.map { affectedByUpdate($0) }
        if let observed = capture.observed { statements.append(observation(observed)) }
        return statements.joined(separator: "\n")
    }

    /// The old and the new partition key of a record that moves, so that the relay can wait for its rows elsewhere.
    ///
    /// A record that is restored may have moved while its changes were not captured.
    private func move(_ record: RecordCapture, _ topic: RecordCapture.Topic) -> String {
        guard let column = topic.partitionKey else { return "NULL::jsonb" }
        let (old, new) = ("o.\(quoted(column))", "n.\(quoted(column))")
        let restored = record.softDeleteColumn.map { " OR o.\(quoted($0)) IS NOT NULL AND n.\(quoted($0)) IS NULL" }
        let key = quoted(capture.primaryKey)
        return """
            CASE WHEN o.\(key) = n.\(key) AND (\(old) IS DISTINCT FROM \(new)\(restored ?? ""))
                THEN jsonb_build_object(\(literal(column)), jsonb_build_array(\(old), \(new))) END
            """
    }

    private func changeOfUpdate(_ record: RecordCapture) -> String {
        let key = quoted(capture.primaryKey)
        var cases = """
            CASE WHEN o.\(key) IS NULL THEN \(event(record, .created))
              WHEN n.\(key) IS NULL THEN \(event(record, .destroyed))
            """
        if let column = record.softDeleteColumn.map(quoted) {
            cases += """

                WHEN n.\(column) IS NOT NULL AND n.\(column) IS DISTINCT FROM o.\(column)
                  THEN \(event(record, .destroyed))
                WHEN n.\(column) IS NULL AND o.\(column) IS NOT NULL THEN \(event(record, .created))
                WHEN n.\(column) IS NOT NULL THEN \(record.updatesAfterSoftDelete ? event(record, .updated) : "NULL")
                """
        }
        return cases + " ELSE \(event(record, .updated)) END"
    }

    /// Both the rows as they were and as they are, so that what they left is published too.
    private func affectedByUpdate(_ affected: AffectedCapture) -> String {
        let key = quoted(capture.primaryKey)
        let differs =
            affected.columns.map { columns in
                columns.map { "o.\(quoted($0)) IS DISTINCT FROM n.\(quoted($0))" }.joined(separator: " OR ")
            } ?? "o *<> n"
        let isChanged = "n.\(key) IS NULL OR o.\(key) IS NULL OR \(differs)"
        let join = "FROM dionysus_old o FULL JOIN dionysus_new n ON n.\(key) = o.\(key)"
        return self.affected(
            affected,
            changed: """
                SELECT o.* \(join) WHERE o.\(key) IS NOT NULL AND (\(isChanged))
                  UNION ALL SELECT n.* \(join) WHERE n.\(key) IS NOT NULL AND (\(isChanged))
                """
        )
    }

    private func affected(_ affected: AffectedCapture, changed: String) -> String {
        let record = affected.record
        let end = "t\(affected.path.count)"
        let from = affected.path.enumerated()
            .map { index, hop in
                let previous = index == 0 ? "changed" : "t\(index)"
                return """
                    JOIN \(quoted(hop.otherTable)) t\(index + 1)
                      ON t\(index + 1).\(quoted(hop.otherColumn)) = \(previous).\(quoted(hop.column))
                      \(condition(hop, source: previous, target: "t\(index + 1)"))
                    """
            }
        let columns = affected.path.prefix(1).flatMap(\.sourceColumns).map(quoted).joined(separator: ", ")
        let visible = record.softDeleteColumn.map { column in
            record.updatesAfterSoftDelete ? "" : "WHERE \(end).\(quoted(column)) IS NULL"
        }
        return record.topics
            .map { topic in
                """
                \(Self.insert)
                SELECT \(literal(record.modelName)), id::text, \(event(record, .updated)), \(literal(topic.name)), partition_key,
                  \(Self.now), \(Self.now), NULL
                FROM (
                  SELECT DISTINCT \(end).\(quoted(record.primaryKey)) AS id, \(partitionKey(topic, of: end)) AS partition_key
                  FROM (SELECT DISTINCT \(columns) FROM (\(changed)) rows) changed \(from.joined(separator: "\n"))
                  \(visible ?? "")
                ) affected ORDER BY affected.id;
                """
            }
            .joined(separator: "\n")
    }

    private func condition(_ hop: AssociationHop, source: String, target: String) -> String {
        guard let condition = hop.condition else { return "" }
        let alias = condition.side == .source ? source : target
        return "AND \(alias).\(quoted(condition.column)) = \(literal(condition.value))"
    }

    /// Only the names of the observed columns that changed, and no values.
    private func observation(_ observed: ObservedCapture) -> String {
        let key = quoted(capture.primaryKey)
        let differs = observed.columns.map { "o.\(quoted($0)) IS DISTINCT FROM n.\(quoted($0))" }
        let names = zip(observed.columns, differs)
            .map { column, differs in
                "CASE WHEN \(differs) THEN jsonb_build_object(\(literal(column)), NULL) ELSE '{}'::jsonb END"
            }
        return """
            \(Self.insert)
            SELECT \(literal(observed.modelName)), n.\(key)::text,
              \(literal(EventName(observed.singular, .updated).description)), '__outbox_observer__', NULL,
              \(Self.now), \(Self.now), \(names.joined(separator: " || "))
            FROM dionysus_old o JOIN dionysus_new n ON n.\(key) = o.\(key)
            WHERE \(differs.joined(separator: " OR ")) ORDER BY n.\(key);
            """
    }

    private var truncateBody: String {
        """
        RAISE EXCEPTION 'TRUNCATE names no records, so that their removal can''t be published: table %', TG_TABLE_NAME
          USING HINT = 'Use DELETE, or SET LOCAL dionysus.capture = ''off'' to remove the rows without publishing it.';
        """
    }
}
