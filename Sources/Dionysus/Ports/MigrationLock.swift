package import Logging

extension Database {
    /// Runs a writing transaction under an exclusive, named lock.
    ///
    /// Use it for schema changes: it creates the lock table first if that is missing. If another lock holder, of this
    /// lock or of a table, blocks it for more than a few seconds, the transaction is rolled back and retried, with a
    /// log line each time. Cancelling the task ends the wait.
    /// - Parameters:
    ///   - name: The name of the lock: `rentals:migrate`.
    ///   - logger: The logger for waits.
    /// - Returns: What the body returns.
    /// - Throws: What ``transaction(_:_:)`` throws; ``DionysusError`` with code `transactionConflict` if a lock can't
    ///   be obtained for about two minutes; `CancellationError`.
    package func exclusively<T: Sendable>(
        _ name: String,
        logger: Logger = Logger(label: "dionysus.migrate"),
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T {
        try await makeLockTable()
        var failures = 0
        while true {
            do {
                return try await transaction(.write) { transaction in
                    let lock = transaction.dialect.transactionLock(name)
                    if !lock.isEmpty { try transaction.run(lock) }
                    return try body(&transaction)
                }
            } catch let error as DionysusError where error.code == .transactionConflict {
                failures += 1
                guard failures < 24 else { throw error }
                logger.warning("waiting for \(name): another transaction holds a lock that it needs: \(error)")
                try await Task.sleep(for: .milliseconds(Int.random(in: 50...500)))
            }
        }
    }

    /// Creates the lock table, even if another process does so at the same time.
    private func makeLockTable() async throws {
        guard let creation = dialect.lockCreation, try await !hasLockTable else { return }
        do {
            _ = try await transaction(.write) { try $0.run(creation) }
        } catch let error as DionysusError {
            // If two create the table at once, one fails.
            guard try await hasLockTable else { throw error }
        }
    }

    private var hasLockTable: Bool {
        get async throws { try await transaction(.snapshot) { try $0.describe(table: lockTable) != nil } }
    }
}
