import CLibpq
import Dionysus

/// What every transaction sets for itself, because the server's defaults are not what results are read by.
struct SessionSettings {
    let statements: [SQL]
    /// Whether the connection leads to one server process, and not to a pooler.
    let isDirect: Bool

    /// Asks the server for its defaults; nil if it doesn't answer, and then the connection has the reason.
    ///
    /// Results are read as text, whose form depends on these; timestamps without a time zone are UTC. Nothing is
    /// compiled: the server decides that by what it expects to read, and compiling takes longer than any statement here.
    init?(of connection: OpaquePointer, statementTimeout: Duration?) {
        let result = PQexec(
            connection,
            """
            SELECT current_setting('TimeZone') IN ('UTC', 'Etc/UTC'), current_setting('DateStyle') LIKE 'ISO%',
              current_setting('extra_float_digits')::int > 0, current_setting('bytea_output') = 'hex',
              current_setting('jit', true) IS DISTINCT FROM 'on', pg_backend_pid()
            """
        )
        defer { PQclear(result) }
        guard PQresultStatus(result) == PGRES_TUPLES_OK else { return nil }
        let needed: [SQL] = [
            "SET LOCAL TimeZone TO 'UTC'", "SET LOCAL DateStyle TO 'ISO'", "SET LOCAL extra_float_digits TO 1",
            "SET LOCAL bytea_output TO 'hex'",
        ]
        func value(_ column: Int) -> String? { PQgetvalue(result, 0, Int32(column)).map { String(cString: $0) } }
        // A pooler makes up the number of the process that it says it is.
        let isDirect = value(needed.count + 1) == String(PQbackendPID(connection))
        var statements = needed.enumerated().filter { index, _ in value(index) != "t" }.map(\.element)
        if value(needed.count) != "t" {
            // Once, and not with every transaction, where the session is this one's.
            if isDirect {
                PQclear(PQexec(connection, "SET jit TO off"))
            } else {
                statements.append("SET LOCAL jit TO off")
            }
        }
        if let statementTimeout {
            statements.append("SET LOCAL statement_timeout TO \(raw: String(max(1, statementTimeout.milliseconds)))")
        }
        self.statements = statements
        self.isDirect = isDirect
    }
}
