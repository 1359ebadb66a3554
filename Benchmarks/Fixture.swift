import Dionysus
import DionysusPostgres
import DionysusProducer
import DionysusSchemas
import Foundation

/// The benchmarks' models: a rental with eight attributes and one link.
struct Account: Model {
    var id: Int
    var name: String
    var defaultCheckInTime: Int?

    enum CodingKeys: String, CodingKey {
        case id, name
        case defaultCheckInTime = "default_check_in_time"
    }
}

struct Rental: Model {
    var id: Int
    var accountID: Int
    var name: String
    var price: ExactDecimal
    var bedrooms: Int
    var ownCheckInTime: Int?
    var canceledAt: Timestamp?
    var createdAt: Timestamp
    var updatedAt: Timestamp

    enum CodingKeys: String, CodingKey {
        case id, name, price, bedrooms
        case accountID = "account_id"
        case ownCheckInTime = "own_check_in_time"
        case canceledAt = "canceled_at"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    static let account = belongsTo(Account.self, by: .accountID)
}

struct RentalSerializer: ModelSerializer {
    var fields: Fields<Rental> {
        Attributes(.id, .name)
        Attribute(.price, scale: 2)
        Attributes(.bedrooms)
        Attribute("check_in_time", loading: Rental.account) { rental, related in
            try rental.ownCheckInTime ?? related[Rental.account].defaultCheckInTime
        }
        Attributes(.canceledAt, .createdAt, .updatedAt)
        HasOne("account", Rental.account)
    }
}

struct RentalSync: Producer {
    var encoding = TopicEncoding.envelope

    var namespaces: [Namespace] {
        Namespace("v3", serializers: Serializers { RentalSerializer() }) {
            Topic("rentals", encoding: encoding, partitionKey: "account_id") { Publish(Rental.self) }
        }
    }
}

/// A new source database on the server, with accounts and rentals.
struct SourceFixture: Sendable {
    let database: PostgresDatabase
    let registry: Registry
    let settings: ProducerSettings

    static func with<T: Sendable>(
        rentals: Int,
        settings: ProducerSettings = ProducerSettings(),
        capture: Bool = true,
        encoding: TopicEncoding = .envelope,
        _ body: (SourceFixture) async throws -> T
    ) async throws -> T {
        try await withDatabase { database in
            let registry = Registry(RentalSync(encoding: encoding), settings: settings)
            _ = try await database.transaction(.write) { transaction in
                try transaction.run([
                    "CREATE TABLE accounts (id bigserial PRIMARY KEY, name text, default_check_in_time int)",
                    """
                    CREATE TABLE rentals (
                      id bigserial PRIMARY KEY, account_id bigint NOT NULL, name text NOT NULL, price numeric(10,2),
                      bedrooms int, own_check_in_time int, canceled_at timestamptz(6),
                      created_at timestamptz(6) NOT NULL DEFAULT now(), updated_at timestamptz(6) NOT NULL DEFAULT now()
                    )
                    """,
                    "INSERT INTO accounts (name, default_check_in_time) SELECT 'Account ' || i, 15 FROM generate_series(1, 1000) i",
                    """
                    INSERT INTO rentals (account_id, name, price, bedrooms)
                    SELECT 1 + i % 1000, 'Villa number ' || i, 100 + i % 50, i % 7 FROM generate_series(1, \(rentals)) i
                    """,
                ])
            }
            if capture {
                try await OutboxSchema(database: database, registry: registry).migrate(lanes: settings.lanes)
            }
            try await database.outsideTransaction("VACUUM ANALYZE")
            return try await body(SourceFixture(database: database, registry: registry, settings: settings))
        }
    }

    /// Fills the outbox with a `rental_updated` for every rental.
    func fillOutbox() async throws {
        try await run("TRUNCATE dionysus_outboxes")
        try await run("UPDATE rentals SET price = price + 1, updated_at = clock_timestamp()")
        try await database.outsideTransaction("ANALYZE dionysus_outboxes")
        try await database.outsideTransaction("CHECKPOINT")
    }
}

/// A new database on the server, dropped after the body.
func withDatabase<T: Sendable>(_ body: (PostgresDatabase) async throws -> T) async throws -> T {
    try await withServer { server in
        let name = "dionysus_bench_\(UUID().uuidString.lowercased().prefix(8))"
        try await server.outsideTransaction("CREATE DATABASE \(identifier: name)")
        let database = try PostgresDatabase(url: try serverURL(database: name))
        let result: Result<T, any Error>
        do { result = .success(try await body(database)) } catch { result = .failure(error) }
        await database.close()
        try await server.outsideTransaction("DROP DATABASE IF EXISTS \(identifier: name) WITH (FORCE)")
        return try result.get()
    }
}

/// The benchmarks' server, through the database in its URL.
func withServer<T: Sendable>(_ body: (PostgresDatabase) async throws -> T) async throws -> T {
    let server = try PostgresDatabase(url: try serverURL())
    let result: Result<T, any Error>
    do { result = .success(try await body(server)) } catch { result = .failure(error) }
    await server.close()
    return try result.get()
}

/// A database's URL for another process.
func url(of database: PostgresDatabase) async throws -> String {
    let name = try await database.transaction(.snapshot) {
        try $0.run("SELECT current_database()::text").first?.text(0)
    }
    return try serverURL(database: name)
}

/// The URL in `DIONYSUS_TEST_POSTGRES_URL`, with another database in it.
private func serverURL(database: String? = nil) throws -> String {
    guard let url = ProcessInfo.processInfo.environment["DIONYSUS_TEST_POSTGRES_URL"],
        var components = URLComponents(string: url)
    else {
        throw DionysusError(
            .configuration,
            "DIONYSUS_TEST_POSTGRES_URL names no server",
            advice: "run script/bench"
        )
    }
    if let database { components.path = "/" + database }
    return components.string ?? url
}

func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
}
