public import Logging

extension Database {
    /// Runs a transaction that writes while nobody else runs one under the same name.
    ///
    /// It is for changes of the schema: it makes the table of locks first if that is missing. A lock that is held longer
    /// than a few seconds, this one or one of a table, makes the transaction roll back and begin again, with a line in the
    /// log each time. Cancelling the task ends the wait.
    /// - Parameters:
    ///   - name: The name of the lock: `rentals:migrate`.
    ///   - logger: Where waiting is told.
    /// - Returns: What the body returns.
    /// - Throws: What ``transaction(_:_:)`` throws; ``DionysusError`` with code `transactionConflict` when a lock was not to
    ///   be had for about two minutes; `CancellationError`.
    public func exclusively<T: Sendable>(
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
                logger.warning("waiting for \(name): a lock that it needs is held by another transaction: \(error)")
                try await Task.sleep(for: .milliseconds(Int.random(in: 50...500)))
            }
        }
    }

    /// Makes the table of locks, whoever else does so at the same time.
    private func makeLockTable() async throws {
        guard let creation = dialect.lockCreation, try await !hasLockTable else { return }
        do {
            _ = try await transaction(.write) { try $0.run(creation) }
        } catch let error as DionysusError {
            // Of two that make a table at once, one fails.
            guard try await hasLockTable else { throw error }
        }
    }

    private var hasLockTable: Bool {
        get async throws { try await transaction(.snapshot) { try $0.describe(table: lockTable) != nil } }
    }
}
