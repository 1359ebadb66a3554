import Dionysus

/// The replica's tables of the example's models.
enum ReplicaTables {
    static func create(in transaction: inout Transaction) throws {
        let dialect = transaction.dialect
        let type = { dialect.columnType($0) }
        let synced = """
            id \(type(.identity)), synced_id \(type(.bigint)) NOT NULL UNIQUE, synced_created_at \(type(.timestamp)),
            synced_updated_at \(type(.timestamp)), synced_version \(type(.bigint)), synced_data \(type(.json)),
            created_at \(type(.timestamp)) NOT NULL, updated_at \(type(.timestamp)) NOT NULL
            """
        let price = type(.decimal(precision: 10, scale: 2))
        try transaction.run([
            "CREATE TABLE accounts (\(raw: synced), name text, default_check_in_time \(raw: type(.integer)))",
            """
            CREATE TABLE rentals (\(raw: synced), synced_account_id \(raw: type(.bigint)), name text UNIQUE,
              price \(raw: price), bedrooms \(raw: type(.integer)), check_in_time \(raw: type(.integer)),
              synced_canceled_at \(raw: type(.timestamp)))
            """,
            """
            CREATE TABLE bookings (\(raw: synced), synced_rental_id \(raw: type(.bigint)),
              start_at \(raw: type(.timestamp)), final_price \(raw: price),
              synced_canceled_at \(raw: type(.timestamp)))
            """,
            """
            CREATE TABLE bookings_fees (\(raw: synced), synced_booking_id \(raw: type(.bigint)), name text,
              amount \(raw: price))
            """,
        ])
    }
}
