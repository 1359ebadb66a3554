public import Dionysus

/// The console's own tables in a database: what processes have written about themselves, and what people have done.
///
/// `migrate` creates them. Without them the console shows no charts and refuses to change anything.
public struct ConsoleTables: Sendable {
    private static let names = ["dionysus_samples", "dionysus_audit"]

    let database: any Database
    private let place: OutboxTables?

    /// Names the tables beside a database's outbox.
    /// - Parameter database: The source's database.
    public init(source database: any CapturingDatabase) {
        self.database = database
        place = database.outbox.tables
    }

    /// Names the tables in a replica's database.
    /// - Parameter database: The replica's database.
    public init(replica database: any Database) {
        self.database = database
        place = nil
    }

    var samples: SQL { table(Self.names[0]) }
    var audit: SQL { table(Self.names[1]) }

    private func table(_ name: String) -> SQL { place?.beside(name) ?? "\(identifier: name)" }
    private func path(_ name: String) -> String { place?.path(name) ?? name }

    /// Creates the tables; safe to repeat.
    /// - Throws: As for a transaction.
    public func migrate() async throws {
        try await database.exclusively("dionysus:migrate") { transaction in
            let dialect = transaction.dialect
            let type = { SQL(raw: dialect.columnType($0)) }
            if try transaction.describe(table: path(Self.names[0])) == nil {
                try transaction.run([
                    """
                    CREATE TABLE \(samples) (
                      process \(type(.text)) NOT NULL, tick \(type(.bigint)) NOT NULL, role \(type(.text)) NOT NULL,
                      version \(type(.text)) NOT NULL, started \(type(.bigint)) NOT NULL, handled \(type(.bigint)) NOT NULL,
                      failures \(type(.bigint)) NOT NULL, latency_average_us \(type(.bigint)),
                      latency_longest_us \(type(.bigint)), backlog \(type(.bigint)), age_us \(type(.bigint)),
                      resident_bytes \(type(.bigint)) NOT NULL, cpu_ms \(type(.bigint)) NOT NULL,
                      topics \(type(.text)) NOT NULL, PRIMARY KEY (process, tick))
                    """,
                    "CREATE INDEX dionysus_samples_tick ON \(samples) (tick)",
                ])
            }
            if try transaction.describe(table: path(Self.names[1])) == nil {
                try transaction.run(
                    """
                    CREATE TABLE \(audit) (
                      id \(type(.identity)), at \(type(.timestamp)) NOT NULL, actor \(type(.text)) NOT NULL,
                      action \(type(.text)) NOT NULL, target \(type(.text)) NOT NULL, matched \(type(.bigint)) NOT NULL,
                      outcome \(type(.text)), original \(type(.bytes)), finished_at \(type(.timestamp)))
                    """
                )
            }
        }
    }

    /// Removes the tables.
    /// - Throws: As for a transaction.
    public func uninstall() async throws {
        _ = try await database.exclusively("dionysus:migrate") { transaction in
            try transaction.run(
                ["DROP TABLE IF EXISTS \(samples)", "DROP TABLE IF EXISTS \(audit)"] + transaction.dialect.lockRemoval
            )
        }
    }

    /// Whether the tables are there.
    func exist(in transaction: inout Transaction) throws -> Bool {
        for name in Self.names where try transaction.describe(table: path(name)) == nil { return false }
        return true
    }
}
