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

    static let old = "dionysus_old"
    static let new = "dionysus_new"
    /// The values that lead away from changed rows.
    static let changed = "dionysus_changed"

    /// Whether keys of every type are compared by their texts.
    var pairsTexts = false

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
}
