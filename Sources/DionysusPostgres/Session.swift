import CLibpq
import Dionysus

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A connection of libpq, in pipeline mode: statements given together cost one round trip.
final class Session: DatabaseConnection {
    private let target: ConnectionTarget
    private var connection: OpaquePointer?
    /// `BEGIN` waits for the first statements and travels with them.
    private var pendingBegin: [SQL] = []
    private var isInTransaction = false
    private var isBroken = false
    private var setsDateStyle = false

    init(target: ConnectionTarget) { self.target = target }

    deinit { PQfinish(connection) }

    var dialect: any SQLDialect { PostgresDialect() }

    /// Whether the connection is open and between transactions.
    var isUsable: Bool { connection != nil && !isBroken && !isInTransaction && PQstatus(connection) == CONNECTION_OK }

    func open() throws {
        let settings = [
            "dbname": target.connectionString,
            "connect_timeout": String(max(2, target.connectTimeout.components.seconds)),
            "application_name": target.applicationName,
            "client_encoding": "UTF8",
        ]
        let names = settings.keys.sorted()
        let opened = withCStrings(names) { keywords in
            withCStrings(names.map { settings[$0] ?? "" }) { values in PQconnectdbParams(keywords, values, 1) }
        }
        connection = opened
        guard PQstatus(opened) == CONNECTION_OK else {
            let reason = firstLine(PQerrorMessage(opened))
            close()
            throw DionysusError(
                .databaseUnavailable,
                "can't connect to PostgreSQL at \(target.location): \(reason)",
                advice: "check that the server runs and that host, port, user and database are right",
                isRetriable: !reason.contains("authentication failed") && !reason.contains("does not exist")
            )
        }
        guard PQenterPipelineMode(opened) == 1, PQsetnonblocking(opened, 1) == 0 else {
            throw lost("pipeline mode was refused")
        }
        setsDateStyle = PQparameterStatus(opened, "DateStyle").map { !String(cString: $0).hasPrefix("ISO") } ?? false
    }

    func close() {
        PQfinish(connection)
        connection = nil
    }

    func begin(_ kind: TransactionKind) {
        pendingBegin = [kind == .write ? "BEGIN" : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"]
        if setsDateStyle { pendingBegin.append("SET LOCAL datestyle TO 'ISO'") }
    }

    func commit() throws {
        guard pendingBegin.isEmpty else {
            pendingBegin = []
            return
        }
        guard isInTransaction else { return }
        do {
            _ = try send(["COMMIT"])
            isInTransaction = false
        } catch {
            // Whether the server committed can't be known, and the connection is of no further use.
            isBroken = true
            throw error
        }
    }

    func rollback() {
        guard pendingBegin.isEmpty else {
            pendingBegin = []
            return
        }
        guard isInTransaction else { return }
        isInTransaction = false
        guard !isBroken else { return }
        do { _ = try send(["ROLLBACK"]) } catch { isBroken = true }
    }

    func run(_ statements: [SQL]) throws -> [ResultSet] {
        guard !statements.isEmpty else { return [] }
        let begin = pendingBegin
        pendingBegin = []
        if !begin.isEmpty { isInTransaction = true }
        return Array(try send(begin + statements).dropFirst(begin.count))
    }

    // MARK: Pipeline

    private func send(_ statements: [SQL]) throws -> [ResultSet] {
        guard let connection, !isBroken else { throw lost("it has been closed") }
        for statement in statements {
            let (text, values) = statement.rendered(for: dialect)
            guard enqueue(text, values, on: connection) else { throw lost(firstLine(PQerrorMessage(connection))) }
        }
        guard PQpipelineSync(connection) == 1 else { throw lost(firstLine(PQerrorMessage(connection))) }
        try flush(connection)
        return try collect(statements, from: connection)
    }

    private func enqueue(_ text: String, _ values: [DatabaseValue], on connection: OpaquePointer) -> Bool {
        let parameters = values.map(Parameter.init)
        return withCStrings(parameters.map(\.text)) { pointers in
            let types = parameters.map(\.type)
            return PQsendQueryParams(connection, text, Int32(parameters.count), types, pointers, nil, nil, 0) == 1
        }
    }

    /// Sends without waiting on a server that itself waits for its answers to be read.
    private func flush(_ connection: OpaquePointer) throws {
        while true {
            switch PQflush(connection) {
            case 0: return
            case 1:
                var descriptor = pollfd(fd: PQsocket(connection), events: Int16(POLLIN | POLLOUT), revents: 0)
                guard poll(&descriptor, 1, -1) >= 0 || errno == EINTR else { throw lost("its socket failed") }
                if descriptor.revents & Int16(POLLIN) != 0, PQconsumeInput(connection) == 0 {
                    throw lost(firstLine(PQerrorMessage(connection)))
                }
            default: throw lost(firstLine(PQerrorMessage(connection)))
            }
        }
    }

    /// Takes everything that comes back, also after a failure, so that the next statements find an empty pipeline.
    private func collect(_ statements: [SQL], from connection: OpaquePointer) throws -> [ResultSet] {
        var results: [ResultSet] = []
        results.reserveCapacity(statements.count)
        var failure: DionysusError?
        var nothings = 0
        while true {
            guard let result = PQgetResult(connection) else {
                // One nothing ends each statement; two in a row mean that the connection has no more to say.
                nothings += 1
                if nothings > 1 { throw lost(firstLine(PQerrorMessage(connection))) }
                continue
            }
            nothings = 0
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_PIPELINE_SYNC:
                if let failure { throw failure }
                return results
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: results.append(ResultSet(result))
            case PGRES_PIPELINE_ABORTED: break
            default:
                if PQstatus(connection) != CONNECTION_OK { throw lost(firstLine(PQresultErrorMessage(result))) }
                if failure == nil { failure = ServerError(result).error(at: target.location) }
                if failure?.code == .databaseUnavailable { isBroken = true }
            }
        }
    }

    private func lost(_ reason: String) -> DionysusError {
        isBroken = true
        return DionysusError(
            .databaseUnavailable,
            "the connection to PostgreSQL at \(target.location) was lost: \(reason)",
            isRetriable: true
        )
    }
}

/// The first line of a message of libpq: the rest may quote the statement.
private func firstLine(_ message: UnsafePointer<CChar>?) -> String {
    let text = message.map { String(cString: $0) } ?? ""
    let line = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? "no reason given"
    return line.replacing("connection to server at ", with: "server ")
}

/// Lends C strings for the length of a call; nil stays nil.
private func withCStrings<T>(_ strings: [String?], _ body: ([UnsafePointer<CChar>?]) -> T) -> T {
    let copies = strings.map { $0.flatMap { strdup($0) } }
    defer { for copy in copies { free(copy) } }
    return body(copies.map { UnsafePointer($0) } + [nil])
}
