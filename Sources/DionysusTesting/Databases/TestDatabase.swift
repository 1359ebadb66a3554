public import Dionysus

/// A test's database: the source or the replica.
public struct TestDatabase: Sendable {
    let faulty: FaultyDatabase
    private let remove: @Sendable () async throws -> Void

    init(_ database: any CapturingDatabase, remove: @escaping @Sendable () async throws -> Void) {
        faulty = FaultyDatabase(database)
        self.remove = remove
    }

    /// The database as the services under test see it, with injected faults.
    public var database: any CapturingDatabase { faulty }

    // MARK: Faults

    /// Whether the database is unavailable to the services under test; the test itself still has access.
    public var isAway: Bool {
        get { faulty.faults.withLock { $0.isAway } }
        nonmutating set { faulty.faults.withLock { $0.isAway = newValue } }
    }

    /// Makes transactions of the services under test fail as if the connection had been lost.
    /// - Parameter count: The number of upcoming transactions that fail.
    public func fail(_ count: Int) { faulty.faults.withLock { $0.failing = count } }

    // MARK: Reading and writing

    /// Writes as the application does, in one transaction.
    ///
    ///     try await test.source.write { try $0.insert(Rental(…)) }
    /// - Returns: What the body returns.
    /// - Throws: What the body throws, and ``/Dionysus/DionysusError`` as for a transaction.
    @discardableResult
    public func write<T: Sendable>(
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T {
        try await faulty.base.transaction(.write, body)
    }

    /// Reads in one snapshot.
    /// - Returns: What the body returns.
    /// - Throws: What the body throws, and ``/Dionysus/DionysusError`` as for a transaction.
    public func read<T: Sendable>(
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T {
        try await faulty.base.transaction(.snapshot, body)
    }

    /// The rows of a table as JSON objects, in the order of the primary key.
    /// - Returns: The rows, each with its columns in the table's order.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound` if there is no such table, and as for a transaction.
    public func rows(_ table: String) async throws -> [JSON] {
        try await read { transaction in
            try transaction.ordered(table).rows
                .map { row in
                    .object(JSON.Object(row.columns.map { JSON.Object.Member($0, JSON(databaseValue: row[$0])) }))
                }
        }
    }

    /// The rows of a model's table, in the order of the primary key.
    /// - Returns: The records.
    /// - Throws: ``/Dionysus/DionysusError``: `notFound` if there is no such table, `typeMismatch` for a row that
    ///   doesn't decode as the model, and as for a transaction.
    public func rows<Record: Model>(_ model: Record.Type) async throws -> [Record] {
        try await read { transaction in
            let description = ModelDescription(model)
            return try transaction.ordered(description.table).rows
                .compactMap { try description.decode($0) as? Record }
        }
    }

    func end() async throws {
        await faulty.close()
        try await remove()
    }
}

extension Transaction {
    fileprivate mutating func ordered(_ table: String) throws -> ResultSet {
        let description = try existing(table)
        let columns = description.columns.map { "\(identifier: $0.name)" as SQL }.joined(separator: ", ")
        let order = description.primaryKey.map { "\(identifier: $0)" as SQL }.joined(separator: ", ")
        let ordering: SQL = description.primaryKey.isEmpty ? "" : " ORDER BY \(order)"
        return try run("SELECT \(columns) FROM \(identifier: table)\(ordering)")
    }

    mutating func existing(_ table: String) throws -> TableDescription {
        guard let description = try describe(table: table) else {
            throw DionysusError(
                .notFound,
                "the database of the test has no table \(table)",
                advice: "create it in the closure that creates the tables"
            )
        }
        return description
    }
}
