import Dionysus
import Synchronization

/// A lock on a row, held by an open transaction on a connection of its own.
final class PostgresLease: Lease {
    private enum State {
        case held
        /// A statement failed, so that nothing of the transaction can last.
        case failed
        case ended
    }

    private let connection: PooledConnection
    private let pool: ConnectionPool
    /// What takes the lock: the last of them returns a row if it was to be had.
    private let locking: [SQL]
    private let state = Mutex(State.held)

    init(connection: PooledConnection, pool: ConnectionPool, locking: [SQL]) {
        self.connection = connection
        self.pool = pool
        self.locking = locking
    }

    func perform<T: Sendable>(_ body: @escaping @Sendable (inout Transaction) throws -> T) async throws -> T {
        try await run(isInterruptible: true) { session in
            var transaction = Transaction(on: session)
            return try body(&transaction)
        }
    }

    func release<T: Sendable>(_ body: @escaping @Sendable (inout Transaction) throws -> T) async throws -> T {
        // What ends a lease is short, and notes what has been sent: it is not interrupted.
        let result = try await run(isInterruptible: false) { session in
            var transaction = Transaction(on: session)
            let result = try body(&transaction)
            try session.commit()
            return result
        }
        if end() { await pool.giveBack(connection) }
        return result
    }

    func renew(ending last: [SQL], running next: [SQL]) async throws -> (last: [ResultSet], next: [ResultSet]?) {
        let (ended, renewed) = try await run(isInterruptible: false) { [locking] session in
            try session.runLast(last, beginningAnotherWith: locking + next)
        }
        guard case .success(let results) = renewed, !results[locking.count - 1].isEmpty else {
            await abandon()
            return (ended, nil)
        }
        return (ended, Array(results.dropFirst(locking.count)))
    }

    func abandon() async {
        guard end() else { return }
        await connection.run { $0.rollback() }
        await pool.giveBack(connection)
    }

    deinit {
        guard end() else { return }
        let (connection, pool) = (connection, pool)
        Task {
            await connection.run { $0.rollback() }
            await pool.giveBack(connection)
        }
    }

    private func run<T: Sendable>(
        isInterruptible: Bool,
        _ body: @escaping @Sendable (Session) throws -> T
    ) async throws -> T {
        switch state.withLock(\.self) {
        case .held: break
        case .failed:
            throw DionysusError(.closed, "the lease failed before", advice: "abandon it and take it again")
        case .ended: throw DionysusError(.closed, "the lease has ended")
        }
        do {
            return try await isInterruptible ? connection.runInterruptibly(body) : connection.run(body)
        } catch {
            state.withLock { if $0 == .held { $0 = .failed } }
            throw error
        }
    }

    /// - Returns: Whether it had not ended before.
    private func end() -> Bool {
        state.withLock { state in
            defer { state = .ended }
            return state != .ended
        }
    }
}
