import Dionysus
import DionysusProducer
import DionysusSQLite

/// A source database in a new file, with accounts and rentals.
struct SQLiteFixture: Sendable {
    let path: String
    let database: SQLiteDatabase
    let registry: Registry
    let settings: ProducerSettings

    static func with<T: Sendable>(
        rentals: Int,
        settings: ProducerSettings = ProducerSettings(),
        _ body: (SQLiteFixture) async throws -> T
    ) async throws -> T {
        try await withTemporaryDirectory { directory in
            let path = directory + "/source.sqlite"
            let database = try SQLiteDatabase(path: path)
            let registry = Registry(RentalSync(), settings: settings)
            let fixture = SQLiteFixture(path: path, database: database, registry: registry, settings: settings)
            try await fixture.createTables(rentals: rentals)
            try await OutboxSchema(database: database, registry: registry).migrate(lanes: settings.lanes)
            let result = try await body(fixture)
            await database.close()
            return result
        }
    }

    private func createTables(rentals: Int) async throws {
        let now = database.dialect.now
        try await run(
            "CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT, default_check_in_time INTEGER)",
            """
            CREATE TABLE rentals (
              id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, name TEXT NOT NULL, price NUMERIC(10,2),
              bedrooms INTEGER, own_check_in_time INTEGER, canceled_at TIMESTAMP, created_at TIMESTAMP NOT NULL,
              updated_at TIMESTAMP NOT NULL
            )
            """,
            """
            WITH RECURSIVE series (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < 1000)
            INSERT INTO accounts (name, default_check_in_time) SELECT 'Account ' || i, 15 FROM series
            """,
            """
            WITH RECURSIVE series (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < \(rentals))
            INSERT INTO rentals (account_id, name, price, bedrooms, created_at, updated_at)
            SELECT 1 + i % 1000, 'Villa number ' || i, 100 + i % 50, i % 7, \(now), \(now) FROM series
            """,
        )
    }

    /// Fills the outbox with a `rental_updated` for every rental.
    func fillOutbox() async throws {
        try await run(
            "DELETE FROM dionysus_outboxes",
            "UPDATE rentals SET price = price + 1, updated_at = \(database.dialect.now)",
        )
        try await settle(database)
    }
}
