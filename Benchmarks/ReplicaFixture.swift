import Dionysus
import DionysusConsumer
import DionysusPostgres
import DionysusSQLite

/// A new replica on the server, with its tables.
func withReplica<T: Sendable>(_ body: (PostgresDatabase) async throws -> T) async throws -> T {
    try await withDatabase { replica in
        try await makeTables(in: replica)
        return try await body(replica)
    }
}

/// A new replica in a file, with its tables.
func withSQLiteReplica<T: Sendable>(_ body: (SQLiteDatabase) async throws -> T) async throws -> T {
    try await withTemporaryDirectory { directory in
        let replica = try SQLiteDatabase(path: directory + "/replica.sqlite")
        try await makeTables(in: replica)
        let result = try await body(replica)
        await replica.close()
        return result
    }
}

func execute(_ database: any Database, _ statement: SQL) async throws {
    _ = try await database.transaction(.write) { try $0.run(statement) }
}

private func makeTables(in replica: any Database) async throws {
    try await makeTable(
        "rentals",
        [
            ("name", .text), ("price", .decimal(precision: 10, scale: 2)), ("bedrooms", .integer),
            ("check_in_time", .integer), ("synced_account_id", .bigint), ("synced_canceled_at", .timestamp),
        ],
        in: replica
    )
    try await makeTable(
        "bookings",
        [
            ("start_at", .timestamp), ("final_price", .decimal(precision: 10, scale: 2)),
            ("synced_rental_id", .bigint), ("synced_canceled_at", .timestamp),
        ],
        in: replica
    )
    try await makeTable(
        "bookings_fees",
        [("name", .text), ("amount", .decimal(precision: 10, scale: 2)), ("synced_booking_id", .bigint)],
        in: replica
    )
    try await execute(replica, "CREATE INDEX bookings_fees_by_booking ON bookings_fees (synced_booking_id)")
    try await ConsumerSchema(database: replica).migrate()
}

/// Creates a table with the standard replica columns and additional ones.
func makeTable(_ name: String, _ own: [(name: String, type: ColumnType)], in replica: any Database) async throws {
    let dialect = replica.dialect
    let columns =
        own + [
            ("synced_created_at", .timestamp), ("synced_updated_at", .timestamp), ("synced_version", .bigint),
            ("synced_data", .json),
        ]
    let definitions = columns.map { "\($0.name) \(dialect.columnType($0.type))" }.joined(separator: ", ")
    let time = dialect.columnType(.timestamp)
    try await execute(
        replica,
        """
        CREATE TABLE \(raw: name) (
          id \(raw: dialect.columnType(.identity)), synced_id \(raw: dialect.columnType(.bigint)) NOT NULL UNIQUE,
          \(raw: definitions), created_at \(raw: time) NOT NULL DEFAULT CURRENT_TIMESTAMP,
          updated_at \(raw: time) NOT NULL DEFAULT CURRENT_TIMESTAMP
        )
        """
    )
}
