import Dionysus

/// What trigger functions check before they write, and what they do besides.
extension CaptureFunctions {
    var isOtherTable: String {
        """
        TG_TABLE_NAME OPERATOR(pg_catalog.<>) \(quotedLiteral(table.baseName))
          OR TG_TABLE_SCHEMA OPERATOR(pg_catalog.<>) \(quotedLiteral(table.schema))
        """
    }

    /// Refuses any table but the captured one, its partitions and what inherits from it, before anything else.
    ///
    /// A table that was renamed is known by its number, one that was restored from a dump by its name.
    var binding: String {
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
    var suppression: String {
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
    var trace: String {
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

    var clock: String {
        "pg_catalog.clock_timestamp()" + (outbox.hasZones ? "" : " AT TIME ZONE 'UTC'")
    }

    /// Wakes a relay that waits.
    ///
    /// A relay that waits holds the lock alone. While none does, the change is not announced, since announcing makes
    /// commits wait for each other; and the relay can't begin to wait before this transaction has ended. A transaction
    /// that announces can't be prepared for a commit in two phases: where the server allows those, relays poll. So they do
    /// while the server's queue fills, which any session that listens and never ends its transaction can cause: a full one makes
    /// commits fail.
    var wakeUp: String {
        """
        IF NOT pg_catalog.pg_try_advisory_xact_lock_shared(\(outbox.wakeUpLock)) THEN
          IF pg_catalog.current_setting('max_prepared_transactions') OPERATOR(pg_catalog.=) '0' THEN
            PERFORM pg_catalog.pg_notify(w.channel, '') FROM \(outbox.wakeUps) w
              WHERE pg_catalog.pg_notification_queue_usage() OPERATOR(pg_catalog.<) 0.5;
          END IF;
        END IF;
        """
    }

    var truncateBody: String {
        """
        RAISE EXCEPTION 'TRUNCATE names no records, so that their removal can''t be published: table %', TG_TABLE_NAME
          USING HINT = 'Use DELETE, or SET LOCAL dionysus.capture = ''off'' to remove the rows without publishing it.';
        """
    }

    /// The columns of other tables that are compared by operators, which only the types of PostgreSQL's own are safe for.
    var joinedColumns: [(table: CapturedTable, column: CapturedTable.Column)] {
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
    var leadingColumns: [CapturedTable.Column] {
        let names = Set(capture.affected.flatMap { $0.path.first?.sourceColumns ?? [] })
        return table.columns.filter { names.contains($0.name) }
    }

    /// Refuses the write rather than lose the change, and before anything of those tables is read.
    ///
    /// A view in a table's place, a policy on it, or a type of the owner's own would run the owner's code. A column that
    /// has become another type of whole numbers, or of texts, is compared as before.
    var pathCheck: String {
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
}
