import CLibpq
import Dionysus
import Synchronization

/// A connection of libpq, in pipeline mode: statements given together cost one round trip.
///
/// It connects when a transaction begins, if it has to, and keeps nothing in the server's session but prepared statements
/// and that nothing is compiled, and these only where the session is its own.
final class Session: DatabaseConnection {
    private let target: ConnectionTarget
    private let interruption: Interruption
    private var connection: OpaquePointer?
    /// What every transaction sets for itself.
    private var localSettings: [SQL] = []
    /// `BEGIN` waits for the first statements and travels with them.
    private var pendingBegin: [SQL] = []
    private var isInTransaction = false
    /// Whether the transaction's last statements have committed it.
    private var isCommitted = false
    /// Whether a statement has failed, so that the server would turn a commit into a rollback without a word.
    private var hasFailed = false
    private var pipeline: Pipeline
    /// More bytes than this, sent at once or received as one row, make a buffer large.
    private static let largePiece = 6 << 20
    /// Whether libpq's buffers have become large; it keeps them until the connection is closed.
    let hasLargeBuffers = Atomic(false)

    /// - Parameters:
    ///   - target: Where to connect.
    ///   - interruption: What ends statements of tasks that are cancelled.
    init(target: ConnectionTarget, interruption: Interruption) {
        self.target = target
        self.interruption = interruption
        pipeline = Pipeline(location: target.location, isDirect: false)
    }

    deinit { PQfinish(connection) }

    var dialect: any SQLDialect { PostgresDialect() }

    func close() {
        interruption.connected(nil)
        PQfinish(connection)
        connection = nil
        hasLargeBuffers.store(false, ordering: .relaxed)
        isInTransaction = false
        pendingBegin = []
    }

    // MARK: Transactions

    func begin(_ kind: TransactionKind) throws {
        try connectIfNeeded()
        hasFailed = false
        isCommitted = false
        pendingBegin = beginning(kind)
    }

    private func beginning(_ kind: TransactionKind) -> [SQL] {
        let begin: SQL =
            switch kind {
            case .write: "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
            case .snapshot: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
            }
        return [begin] + localSettings
    }

    func commit() throws {
        guard !isCommitted else { return }
        guard pendingBegin.isEmpty else {
            pendingBegin = []
            return
        }
        guard isInTransaction else { throw lost("it was closed before the commit") }
        guard !hasFailed else {
            rollback()
            throw hasFailedBefore
        }
        // It is over, whatever the answer.
        isInTransaction = false
        _ = try send(pipeline.end("COMMIT"))
    }

    private var hasFailedBefore: DionysusError {
        DionysusError(
            .statement,
            "PostgreSQL at \(target.location) can't commit: a statement of the transaction failed before",
            advice: "put what may fail into a savepoint, or let its error end the transaction"
        )
    }

    func rollback() {
        pendingBegin = []
        guard isInTransaction else { return }
        isInTransaction = false
        do { _ = try send(pipeline.end("ROLLBACK")) } catch { close() }
    }

    func run(_ statements: [SQL]) throws -> [ResultSet] { try run(statements, followedBy: []) ?? [] }

    func runLast(_ statements: [SQL]) throws -> [ResultSet] { try runLast(statements, upTo: nil) ?? [] }

    func runLast(_ statements: [SQL], upTo size: Int) throws -> [ResultSet]? {
        try runLast(statements, upTo: .some(size))
    }

    private func runLast(_ statements: [SQL], upTo size: Int?) throws -> [ResultSet]? {
        // After a failure the server would turn the commit into a rollback.
        guard !hasFailed, !statements.isEmpty else { return try run(statements, followedBy: [], upTo: size) }
        let results = try run(statements, followedBy: pipeline.end("COMMIT"), upTo: size)
        isInTransaction = false
        isCommitted = true
        return results
    }

    /// Ends the transaction with its last statements, and begins another that writes, in the same round trip.
    /// - Returns: What the last statements gave, and what the next ones did: a failure of theirs does not undo the commit.
    /// - Throws: ``DionysusError`` when nothing was committed, or that is unknown.
    func runLast(
        _ last: [SQL],
        beginningAnotherWith next: [SQL]
    ) throws -> (last: [ResultSet], next: Result<[ResultSet], DionysusError>) {
        guard isInTransaction else { throw lost("it was closed before the commit") }
        guard !hasFailed else { throw hasFailedBefore }
        let commands = try commands(last + ["COMMIT"] + beginning(.write) + next)
        try requireTransaction()
        let answer = try exchange(commands)
        let results = answer.results
        hasFailed = answer.failure != nil
        if let failure = answer.failure {
            guard results.count > last.count else { throw failure }
            return (Array(results.prefix(last.count)), .failure(failure))
        }
        return (Array(results.prefix(last.count)), .success(Array(results.suffix(next.count))))
    }

    /// - Parameter size: The size in bytes that results may have; nil for any.
    /// - Returns: nil if they are larger; then the connection has been closed.
    private func run(_ statements: [SQL], followedBy end: [SQL], upTo size: Int? = nil) throws -> [ResultSet]? {
        guard !statements.isEmpty else { return [] }
        let begin = pendingBegin
        // A statement that can't be sent leaves the transaction as it is, and its BEGIN to the next.
        let commands = try commands(begin + statements + end)
        if begin.isEmpty { try requireTransaction() }
        do {
            let answer = try interruption.whileRunning {
                pendingBegin = []
                if !begin.isEmpty { isInTransaction = true }
                return try exchange(commands, upTo: size)
            }
            if let failure = answer.failure {
                throw interruption.isRequested && failure.code == .timeout ? CancellationError() : failure
            }
            hasFailed = false
            guard !answer.isTooLarge else {
                // Nothing but the end of the connection keeps the server from sending the rest.
                close()
                return nil
            }
            return Array(answer.results[begin.count..<(begin.count + statements.count)])
        } catch {
            hasFailed = true
            throw error
        }
    }

    /// What a transaction does must not last without it: a statement that ended it (`COMMIT`, or a `BEGIN` that the server
    /// refused) would leave the next to stand alone.
    private func requireTransaction() throws {
        guard let connection, isInTransaction else { throw lost("its transaction has ended") }
        guard PQtransactionStatus(connection) != PQTRANS_IDLE else {
            isInTransaction = false
            throw DionysusError(
                .statement,
                "PostgreSQL at \(target.location) has ended the transaction: nothing more can be run in it",
                advice: "leave BEGIN, COMMIT and ROLLBACK to Dionysus, and let the first error end the transaction"
            )
        }
    }

    func suppressCapture() throws {
        _ = try run(["SELECT set_config('dionysus.capture', 'off', true)"])
    }

    func setTraceContext(traceparent: String?, tracestate: String?) throws {
        _ = try run([
            """
            SELECT set_config('dionysus.traceparent', \(traceparent ?? ""), true),
              set_config('dionysus.tracestate', \(tracestate ?? ""), true)
            """
        ])
    }

    func runOutsideTransaction(_ statement: SQL) throws {
        try connectIfNeeded()
        _ = try send([statement])
    }

    // MARK: Connecting

    private func connectIfNeeded() throws {
        if let connection {
            if isAlive(connection) { return }
            target.logger.debug("connecting to \(target.location) again: the connection was lost")
            close()
        }
        let opened = try target.connect()
        connection = opened
        interruption.connected(opened)
        guard let settings = SessionSettings(of: opened, statementTimeout: target.statementTimeout) else {
            throw lost(firstLine(PQerrorMessage(opened)))
        }
        localSettings = settings.statements
        pipeline = Pipeline(location: target.location, isDirect: settings.isDirect)
        guard PQenterPipelineMode(opened) == 1, PQsetnonblocking(opened, 1) == 0 else {
            throw lost("it has no pipeline mode")
        }
    }

    /// Whether an idle connection still stands: one that the server has closed has something to read, and then an end.
    private func isAlive(_ connection: OpaquePointer) -> Bool {
        while Socket.isReadable(PQsocket(connection)) {
            guard PQconsumeInput(connection) == 1 else { return false }
        }
        return PQstatus(connection) == CONNECTION_OK
    }

    // MARK: Round trips

    private func send(_ statements: [SQL]) throws -> [ResultSet] {
        let answer = try exchange(commands(statements))
        if let failure = answer.failure { throw failure }
        return answer.results
    }

    /// - Throws: ``DionysusError`` with code `typeMismatch` for a value that the server can't take.
    private func commands(_ statements: [SQL]) throws -> [Command] {
        try statements.map { try Command($0.rendered(for: dialect)) }
    }

    private func exchange(_ commands: [Command], upTo size: Int? = nil) throws -> Pipeline.Answer {
        guard let connection else { throw lost("it has been closed") }
        do throws(Pipeline.Loss) {
            defer { if pipeline.largestPiece > Self.largePiece { hasLargeBuffers.store(true, ordering: .relaxed) } }
            return try pipeline.exchange(commands, on: connection, upTo: size)
        } catch {
            throw lost(error.reason, error.failure)
        }
    }

    /// The end of this connection; the next transaction makes another.
    private func lost(_ reason: String, _ failure: DionysusError? = nil) -> DionysusError {
        close()
        return DionysusError(
            .databaseUnavailable,
            "the connection to PostgreSQL at \(target.location) was lost: \(reason)",
            isRetriable: true,
            underlying: failure
        )
    }
}

/// The first line of a message of libpq: the rest may quote the statement.
func firstLine(_ message: UnsafePointer<CChar>?) -> String {
    let text = message.map { String(cString: $0) } ?? ""
    let line = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? "no reason given"
    return line.replacing("connection to server at ", with: "server ")
}
