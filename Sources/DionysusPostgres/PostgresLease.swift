import Dionysus
import Synchronization

/// A lock on a row, held by an open transaction on a connection of its own.
final class PostgresLease: Lease {
    private let connection: PooledConnection
    private let pool: ConnectionPool
    private let isHeld = Mutex(true)

    init(connection: PooledConnection, pool: ConnectionPool) {
        self.connection = connection
        self.pool = pool
    }

    func perform<T: Sendable>(_ body: @escaping @Sendable (inout Transaction) throws -> T) async throws -> T {
        try throwUnlessHeld()
        return try await connection.run { session in
            var transaction = Transaction(on: session)
            return try body(&transaction)
        }
    }

    func release<T: Sendable>(_ body: @escaping @Sendable (inout Transaction) throws -> T) async throws -> T {
        try throwUnlessHeld()
        let result = try await connection.run { session in
            var transaction = Transaction(on: session)
            let result = try body(&transaction)
            try session.commit()
            return result
        }
        if end() { await pool.giveBack(connection) }
        return result
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

    private func end() -> Bool {
        isHeld.withLock { isHeld in
            defer { isHeld = false }
            return isHeld
        }
    }

    private func throwUnlessHeld() throws {
        guard isHeld.withLock(\.self) else { throw DionysusError(.closed, "the lease has ended") }
    }
}
