import Dionysus

/// The replica's tables: the messages' attributes, with local keys and times.
enum ReplicaSchema {
    static func create(in transaction: inout Transaction) throws {
        let types = TableTypes(transaction.dialect)
        let json = transaction.dialect.columnType(.json)
        let synced = """
            synced_id \(types.reference) NOT NULL UNIQUE, synced_created_at \(types.timestamp),
            synced_updated_at \(types.timestamp), synced_version \(types.reference), synced_data \(json)
            """
        try transaction.run([
            """
            CREATE TABLE IF NOT EXISTS accounts (
              id \(raw: types.key), \(raw: synced), name text, default_check_in_time \(raw: types.integer),
              \(raw: types.timestamps)
            )
            """,
            """
            CREATE TABLE IF NOT EXISTS rentals (
              id \(raw: types.key), \(raw: synced), synced_account_id \(raw: types.reference), name text,
              price numeric(10,2), bedrooms \(raw: types.integer), check_in_time \(raw: types.integer),
              synced_canceled_at \(raw: types.timestamp), \(raw: types.timestamps)
            )
            """,
            """
            CREATE TABLE IF NOT EXISTS bookings (
              id \(raw: types.key), \(raw: synced), synced_rental_id \(raw: types.reference),
              start_at \(raw: types.timestamp), final_price numeric(10,2), synced_canceled_at \(raw: types.timestamp),
              \(raw: types.timestamps)
            )
            """,
            """
            CREATE TABLE IF NOT EXISTS bookings_fees (
              id \(raw: types.key), \(raw: synced), synced_booking_id \(raw: types.reference), name text,
              amount numeric(10,2), \(raw: types.timestamps)
            )
            """,
            "CREATE INDEX IF NOT EXISTS bookings_fees_booking ON bookings_fees (synced_booking_id)",
        ])
    }
}
