import Synchronization

@testable import Dionysus

/// Counts the statements that load records and those that settle rows of the outbox; what a relay does all the time,
/// whether there are rows or not, doesn't count.
final class CountingDatabase: CapturingDatabase {
    private let base: any CapturingDatabase
    private let statements = Mutex(0)

    init(_ base: any CapturingDatabase) { self.base = base }

    /// How many statements have been run since this was last asked.
    func takeCount() -> Int {
        statements.withLock { count in
            defer { count = 0 }
            return count
        }
    }

    fileprivate func add(_ count: Int) { statements.withLock { $0 += count } }

    var outbox: any OutboxSupport { base.outbox }
    var dialect: any SQLDialect { base.dialect }
    var location: String { base.location }

    func transaction<T: Sendable>(
        _ kind: TransactionKind,
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T {
        try await base.transaction(kind) { [self] transaction in try counting(transaction.connection, body) }
    }

    func lease(_ resource: LeasedResource, idleTimeout: Duration) async throws -> (any Lease)? {
        try await base.lease(resource, idleTimeout: idleTimeout).map { CountingLease(base: $0, database: self) }
    }

    func changeSignal(_ onChange: @escaping @Sendable () -> Void) -> any ChangeSignal { base.changeSignal(onChange) }

    func close() async { await base.close() }

    fileprivate func counting<T>(
        _ connection: any DatabaseConnection,
        _ body: (inout Transaction) throws -> T
    ) throws -> T {
        var transaction = Transaction(on: CountingConnection(connection, self))
        return try body(&transaction)
    }
}

private struct CountingLease: Lease {
    let base: any Lease
    let database: CountingDatabase

    func perform<T: Sendable>(_ body: @escaping @Sendable (inout Transaction) throws -> T) async throws -> T {
        try await base.perform { [database] in try database.counting($0.connection, body) }
    }

    func release<T: Sendable>(_ body: @escaping @Sendable (inout Transaction) throws -> T) async throws -> T {
        try await base.release { [database] in try database.counting($0.connection, body) }
    }

    func abandon() async { await base.abandon() }
}

private final class CountingConnection: DatabaseConnection {
    private let base: any DatabaseConnection
    private let database: CountingDatabase

    init(_ base: any DatabaseConnection, _ database: CountingDatabase) {
        self.base = base
        self.database = database
    }

    var dialect: any SQLDialect { base.dialect }

    func run(_ statements: [SQL]) throws -> [ResultSet] {
        database.add(statements.filter(isCounted).count)
        return try base.run(statements)
    }

    private func isCounted(_ statement: SQL) -> Bool {
        let text = statement.rendered(for: dialect).text
        let isHousekeeping = ["outboxes", "lanes", "meta", "version"].contains { text.contains("dionysus_\($0)") }
        return !isHousekeeping || text.hasPrefix("UPDATE dionysus_outboxes")
    }

    func describe(table: String) throws -> TableDescription? { try base.describe(table: table) }
}
