import Dionysus

/// The source's own tables.
///
/// Foreign keys have no cascade.
enum SourceSchema {
    static func create(in transaction: inout Transaction) throws {
        let types = TableTypes(transaction.dialect)
        try transaction.run([
            """
            CREATE TABLE IF NOT EXISTS accounts (
              id \(raw: types.key), name text NOT NULL, default_check_in_time \(raw: types.integer),
              \(raw: types.timestamps)
            )
            """,
            """
            CREATE TABLE IF NOT EXISTS rentals (
              id \(raw: types.key), account_id \(raw: types.reference) NOT NULL REFERENCES accounts (id),
              name text NOT NULL, price numeric(10,2) NOT NULL DEFAULT 0, bedrooms \(raw: types.integer) NOT NULL DEFAULT 1,
              own_check_in_time \(raw: types.integer), canceled_at \(raw: types.timestamp), \(raw: types.timestamps)
            )
            """,
            """
            CREATE TABLE IF NOT EXISTS bookings (
              id \(raw: types.key), rental_id \(raw: types.reference) NOT NULL REFERENCES rentals (id),
              start_at \(raw: types.timestamp) NOT NULL, base_price numeric(10,2) NOT NULL DEFAULT 0,
              canceled_at \(raw: types.timestamp), \(raw: types.timestamps)
            )
            """,
            """
            CREATE TABLE IF NOT EXISTS bookings_fees (
              id \(raw: types.key), booking_id \(raw: types.reference) NOT NULL REFERENCES bookings (id),
              name text NOT NULL, amount numeric(10,2) NOT NULL DEFAULT 0, \(raw: types.timestamps)
            )
            """,
            "CREATE INDEX IF NOT EXISTS rentals_account ON rentals (account_id)",
            "CREATE INDEX IF NOT EXISTS bookings_rental ON bookings (rental_id)",
            "CREATE INDEX IF NOT EXISTS bookings_fees_booking ON bookings_fees (booking_id)",
        ])
    }
}

/// Column types of each database.
struct TableTypes {
    let key: String
    let reference: String
    let integer: String
    let timestamp: String
    let timestamps: String
    /// A list of texts.
    let texts: String

    init(_ dialect: any SQLDialect) {
        key = dialect.columnType(.identity)
        reference = dialect.columnType(.bigint)
        integer = dialect.columnType(.integer)
        timestamp = dialect.columnType(.timestamp)
        texts = dialect.enforcesTypes ? "text[]" : dialect.columnType(.json)
        let now = "\(dialect.columnType(.timestamp)) NOT NULL DEFAULT (\(dialect.now.rendered(for: dialect).text))"
        timestamps = "created_at \(now), updated_at \(now)"
    }
}
