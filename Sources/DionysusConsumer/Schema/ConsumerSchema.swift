public import Dionysus
package import DionysusSchemas

/// Creates, upgrades, checks and removes the consumer's own tables in the replica's database.
public struct ConsumerSchema: Sendable {
    let database: any Database

    /// Creates the schema.
    public init(database: any Database) { self.database = database }

    /// Creates or upgrades the tables; safe to repeat, and when several processes do it at once.
    public func migrate() async throws {
        try await database.exclusively("dionysus:migrate") { transaction in
            let dialect = transaction.dialect
            try transaction.run(
                """
                CREATE TABLE IF NOT EXISTS \(identifier: ConsumerMigrations.journal)
                  (number \(raw: dialect.columnType(.bigint)) PRIMARY KEY,
                  applied_at \(raw: dialect.columnType(.timestamp)) NOT NULL)
                """
            )
            let journal = try transaction.run("SELECT number FROM \(identifier: ConsumerMigrations.journal)")
            let taken = Set(try journal.rows.compactMap { try $0.integer(0) })
            for migration in ConsumerMigrations.all where !taken.contains(migration.number) {
                try transaction.run(
                    migration.statements(dialect) + [
                        """
                        INSERT INTO \(identifier: ConsumerMigrations.journal) (number, applied_at)
                        VALUES (\(migration.number), \(dialect.now))
                        """
                    ]
                )
            }
            try ReplicaIdentity.establish(in: &transaction)
        }
    }

    /// Creates the replica's tables from a contract, and adds the columns that they lack; safe to repeat.
    /// - Parameters:
    ///   - contract: What the topics publish.
    ///   - settings: The settings it runs with.
    /// - Returns: What it did, a line each.
    /// - Throws: ``/Dionysus/DionysusError`` with code `declaration`, with all faults, if a table can't be made to fit by
    ///   adding to it; nothing is changed then.
    package func migrateReplica(
        to contract: Contract,
        _ consumer: some Consumer,
        settings: ConsumerSettings
    ) async throws -> [String] {
        let tables = try ManagedTables(for: contract, consumer, settings: settings)
        return try await database.exclusively("dionysus:migrate") { try tables.migrate(in: &$0) }
    }

    /// Removes the consumer's own tables.
    ///
    /// Those of the replica stay.
    public func uninstall() async throws {
        try await database.exclusively("dionysus:migrate") { transaction in
            let tables = ConsumerMigrations.tables + [ConsumerMigrations.journal]
            try transaction.run(
                tables.map { "DROP TABLE IF EXISTS \(identifier: $0)" } + transaction.dialect.lockRemoval
            )
        }
    }

    /// What of a declaration may fail for some rows, a line each: a column that takes null for a property that isn't optional,
    /// or that holds more than the property does.
    /// - Parameters:
    ///   - consumer: The declaration.
    ///   - settings: The settings it runs with.
    package func warnings(_ consumer: some Consumer, settings: ConsumerSettings) async throws -> [String] {
        let check = ReplicaCheck(consumer, settings: settings)
        return try await database.transaction(.snapshot) { try check.warnings(in: &$0) }
    }

    /// What of published models the replica doesn't keep, and what of the replica nothing published fills, a line each.
    package func notes(
        _ consumer: some Consumer,
        on published: [PublishedAttributes],
        settings: ConsumerSettings
    ) async throws -> [String] {
        let check = ReplicaCheck(consumer, settings: settings)
        return try await database.transaction(.snapshot) { try check.notes(on: published, in: &$0) }
    }

    /// Published attributes that their columns in the replica can't hold, a line each.
    /// - Returns: What makes every message fail, and what makes some fail.
    package func misfits(
        _ consumer: some Consumer,
        of published: [PublishedAttributes],
        settings: ConsumerSettings
    ) async throws -> (faults: [String], warnings: [String]) {
        let check = ReplicaCheck(consumer, settings: settings)
        return try await database.transaction(.snapshot) { try check.misfits(of: published, in: &$0) }
    }

    /// What of a declaration does not fit the database, a line each.
    /// - Parameters:
    ///   - consumer: The declaration.
    ///   - settings: The settings it runs with.
    /// - Returns: All faults, also of the settings, and tables that are missing.
    public func validate(_ consumer: some Consumer, settings: ConsumerSettings) async throws -> [String] {
        let check = ReplicaCheck(consumer, settings: settings)
        let found = try await database.transaction(.snapshot) { transaction in
            let tables = ConsumerMigrations.tables + (transaction.dialect.lockCreation == nil ? [] : [lockTable])
            let missing = try tables.filter { try transaction.describe(table: $0) == nil }
            var faults = missing.map { "there is no table \($0): run migrate" }
            if missing.isEmpty { faults += try Self.faultsOfTables(in: &transaction) }
            faults += try Self.encodingFaults(in: &transaction)
            return try faults + check.faults(in: &transaction)
        }
        return settings.faults + ConsumedTopics(consumer, settings: settings).faults + found
    }

    /// What our own tables lack, though they are there.
    private static func faultsOfTables(in transaction: inout Transaction) throws -> [String] {
        var faults: [String] = []
        if try transaction.describe(table: "dionysus_offsets")?.column("last_message") == nil {
            faults.append("the table dionysus_offsets is an old one: run migrate")
        }
        if try transaction.describe(table: "dionysus_failures")?.column("cause_hash") == nil {
            faults.append("the table dionysus_failures is an old one: run migrate")
        }
        if try transaction.describe(table: "dionysus_verifications")?.column("first_key") == nil {
            faults.append("the table dionysus_verifications is an old one: run migrate")
        }
        if try ReplicaIdentity.load(in: &transaction) == nil {
            faults.append("the replica's database has no identity: run migrate")
        }
        return faults
    }

    /// Messages have whatever Unicode has, and so do errors and failures: a database that can't hold it fails at some of them.
    private static func encodingFaults(in transaction: inout Transaction) throws -> [String] {
        guard let query = transaction.dialect.encodingQuery,
            let encoding = try transaction.run(query).first?.text(0), encoding != "UTF8"
        else { return [] }
        return [
            "the replica's database has the encoding \(encoding), which can't hold every text: create it anew with "
                + "ENCODING 'UTF8' TEMPLATE template0"
        ]
    }
}
