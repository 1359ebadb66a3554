import CLibpq
import Dionysus

/// A connection that listens, and that holds the lock by which writers know that they have to announce their changes.
///
/// Its thread alone touches it.
final class ListeningSession {
    private let target: ConnectionTarget
    private let outbox: OutboxTables
    private var connection: OpaquePointer?
    private var isArmed = false
    private var isLost = false
    /// The number of the lock, in SQL.
    private var lock = ""

    init(target: ConnectionTarget, outbox: OutboxTables) {
        self.target = target
        self.outbox = outbox
    }

    deinit { PQfinish(connection) }

    var socket: Int32? { connection.map { PQsocket($0) } }

    /// Takes the lock, unless a transaction is running that has found it free.
    func arm() throws -> Bool {
        if isArmed { return true }
        let connection = try connected()
        isArmed = try text("SELECT pg_try_advisory_lock(\(lock))", on: connection) == "t"
        return isArmed
    }

    func disarm() {
        guard isArmed, let connection else { return }
        isArmed = false
        // If this fails the connection is lost, and the lock with it.
        _ = try? text("SELECT pg_advisory_unlock(\(lock))", on: connection)
    }

    func close() {
        PQfinish(connection)
        connection = nil
        isArmed = false
    }

    /// Whether something was announced, or the connection was lost, since this was last asked.
    func takeAnnouncements() -> Bool {
        var hasChanged = isLost
        isLost = false
        guard let connection else { return hasChanged }
        if PQconsumeInput(connection) == 0 {
            close()
            return true
        }
        while let notification = PQnotifies(connection) {
            PQfreemem(notification)
            hasChanged = true
        }
        return hasChanged
    }

    private func connected() throws -> OpaquePointer {
        if let connection { return connection }
        let opened = try target.connect()
        connection = opened
        // A pooler shows its clients a process id of its own, and lends them another session for each transaction.
        let process = try text("SELECT pg_backend_pid()", on: opened)
        guard process == String(PQbackendPID(opened)) else {
            close()
            throw DionysusError(
                .configuration,
                "PostgreSQL at \(target.location) can't announce changes through a connection pooler",
                advice: "connect to the server directly, or turn the wake-up off"
            )
        }
        // The channel is a secret of this outbox, so that no other session keeps the relay busy.
        let wakeUp =
            try text(
                """
                SELECT m.value || ' ' || w.channel FROM \(named("dionysus_wake_ups")) w, \(named("dionysus_meta")) m
                WHERE m.name = 'wake_up_lock'
                """,
                on: opened
            ) ?? ""
        let parts = wakeUp.split(separator: " ")
        guard parts.count == 2, let number = Int64(parts[0]) else {
            close()
            throw DionysusError(
                .declaration,
                "the outbox of PostgreSQL at \(target.location) has no channel for announcements",
                advice: "run migrate"
            )
        }
        lock = String(number)
        _ = try text("LISTEN \(quotedName(String(parts[1])))", on: opened)
        return opened
    }

    private func named(_ table: String) -> String { PostgresDialect().quoted(outbox.path(table)) }

    /// The first value that a statement returns.
    private func text(_ statement: String, on connection: OpaquePointer) throws -> String? {
        let result = PQexec(connection, statement)
        defer { PQclear(result) }
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK: return PQgetvalue(result, 0, 0).map { String(cString: $0) }
        case PGRES_COMMAND_OK: return nil
        default:
            let state = result.map { ServerError($0).state }
            let reason = firstLine(PQerrorMessage(connection))
            close()
            // Asking again would find the same.
            if let state, ["42501", "42P01"].contains(state) {
                throw DionysusError(
                    .declaration,
                    "PostgreSQL at \(target.location) doesn't let this role be told of changes: \(reason)",
                    advice: "run migrate, and grant SELECT on dionysus_wake_ups and dionysus_meta to the relay's role"
                )
            }
            isLost = true
            throw DionysusError(
                .databaseUnavailable,
                "the connection that listens to PostgreSQL at \(target.location) was lost: \(reason)",
                isRetriable: true
            )
        }
    }
}
