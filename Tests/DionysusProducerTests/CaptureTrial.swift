import Dionysus
import DionysusEmbedded
import DionysusProducer
import TestSupport

/// How a trial's models are captured.
protocol CaptureChoice: Sendable {
    static var method: CaptureMethod { get }
    static var updatesAfterSoftDelete: Bool { get }
    static var changeset: ChangesetContent { get }
}

extension CaptureChoice {
    static var method: CaptureMethod { .triggers }
    static var updatesAfterSoftDelete: Bool { false }
    static var changeset: ChangesetContent { .minimal }
}

enum ByTriggers: CaptureChoice {}
enum ByApplication: CaptureChoice { static let method = CaptureMethod.application }

enum OptedIn {
    enum ByTriggers: CaptureChoice { static let updatesAfterSoftDelete = true }
    enum ByApplication: CaptureChoice {
        static let method = CaptureMethod.application
        static let updatesAfterSoftDelete = true
    }
}

enum Names {
    enum ByTriggers: CaptureChoice { static let changeset = ChangesetContent.names }
    enum ByApplication: CaptureChoice {
        static let method = CaptureMethod.application
        static let changeset = ChangesetContent.names
    }
}

enum Values {
    enum ByTriggers: CaptureChoice { static let changeset = ChangesetContent.values }
    enum ByApplication: CaptureChoice {
        static let method = CaptureMethod.application
        static let changeset = ChangesetContent.values
    }
}

/// A model with a soft-delete column of its own, parts, and something that is observed.
struct Shop<Choice: CaptureChoice>: Model, Equatable {
    var id: Int
    var accountID: Int
    var areaID: Int?
    var name: String
    var region: String?
    var closedAt: String?

    enum CodingKeys: String, CodingKey {
        case id, name, region
        case accountID = "account_id"
        case areaID = "area_id"
        case closedAt = "closed_at"
    }

    static var modelName: String { "Shop" }
    static var softDeleteColumn: String { "closed_at" }
    static var captureMethod: CaptureMethod { Choice.method }
    static var publishesUpdatesAfterSoftDelete: Bool { Choice.updatesAfterSoftDelete }
    static var changeset: ChangesetContent { Choice.changeset }
    static var offers: ToManyAssociation<Shop, Offer<Choice>> { hasMany(Offer<Choice>.self, by: .shopID) }
    static var area: ToOneAssociation<Shop, Area> { belongsTo(Area.self, by: .areaID) }
}

struct Offer<Choice: CaptureChoice>: Model {
    var id: Int
    var shopID: Int
    var price: Int

    enum CodingKeys: String, CodingKey {
        case id, price
        case shopID = "shop_id"
    }

    static var modelName: String { "Offer" }
    static var captureMethod: CaptureMethod { Choice.method }
}

struct Area: Model {
    var id: Int
    var name: String

    enum CodingKeys: String, CodingKey { case id, name }
}

struct ShopSync<Choice: CaptureChoice>: Producer {
    struct ShopSerializer: ModelSerializer {
        var fields: Fields<Shop<Choice>> {
            Attributes(.id, .name, .region)
            HasMany("offers", Shop<Choice>.offers)
        }
    }

    var namespaces: [Namespace] {
        Namespace(
            "v1",
            serializers: Serializers {
                ShopSerializer(); Whole(Offer<Choice>.self); Whole(Area.self)
            }
        ) {
            Topic("shops", partitionKey: "account_id") { Publish(Shop<Choice>.self, with: Shop<Choice>.offers) }
            Topic("areas") {
                Publish(Area.self).observing(Shop<Choice>.self, .region, through: Shop<Choice>.area)
            }
        }
    }
}

/// A database with tables of its own, whose changes are captured.
struct CaptureTrial<Choice: CaptureChoice>: Sendable {
    let harness: ProducerHarness

    static var tables: [String] {
        [
            "CREATE TABLE areas (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
            """
            CREATE TABLE shops (
              id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, area_id INTEGER, name TEXT NOT NULL, region TEXT,
              closed_at TEXT
            )
            """,
            "CREATE TABLE offers (id INTEGER PRIMARY KEY, shop_id INTEGER NOT NULL, price INTEGER NOT NULL)",
        ]
    }

    static var shop: String { "INSERT INTO shops (id, account_id, name) VALUES (1, 7, 'Corner')" }

    static func run(
        _ kind: TestDatabaseKind,
        settings: ProducerSettings = ProducerSettings(),
        _ body: (CaptureTrial) async throws -> Void
    ) async throws {
        try await ProducerHarness.run(
            kind,
            tables: tables,
            settings: settings,
            producer: ShopSync<Choice>()
        ) { harness in
            try await body(CaptureTrial(harness: harness))
        }
    }

    /// Runs statements, each a transaction of its own, and records what they change if the application has to.
    func change(_ statements: String...) async throws {
        let recorder = OutboxRecorder(harness.registry, database: harness.database)
        for statement in statements {
            try await harness.database.transaction(.write) { transaction in
                let (shops, offers) = try Self.records(in: &transaction)
                try transaction.run(SQL(raw: statement))
                guard Choice.method == .application else { return }
                let (newShops, newOffers) = try Self.records(in: &transaction)
                try recorder.record(contentsOf: changes(from: shops, to: newShops, by: \.id), in: &transaction)
                try recorder.record(contentsOf: changes(from: offers, to: newOffers, by: \.id), in: &transaction)
            }
        }
    }

    private static func records(
        in transaction: inout Transaction
    ) throws -> (shops: [Shop<Choice>], offers: [Offer<Choice>]) {
        (
            try transaction.run("SELECT * FROM shops ORDER BY id").rows.map { try $0.decode(Shop<Choice>.self) },
            try transaction.run("SELECT * FROM offers ORDER BY id").rows.map { try $0.decode(Offer<Choice>.self) }
        )
    }

    /// The changesets of the outbox's rows, in their order.
    func changesets() async throws -> [JSON?] {
        try await harness.database.transaction(.snapshot) { transaction in
            try transaction.run("SELECT changeset FROM dionysus_outboxes ORDER BY id").rows
                .map { row in try row.text(0).map { try JSON(parsing: Array($0.utf8)) } }
        }
    }
}

private func changes<Record: Model>(
    from old: [Record],
    to new: [Record],
    by key: KeyPath<Record, Int>
) -> [RecordedChange<Record>] {
    let before = Dictionary(uniqueKeysWithValues: old.map { ($0[keyPath: key], $0) })
    let after = Set(new.map { $0[keyPath: key] })
    return old.filter { !after.contains($0[keyPath: key]) }.map { .destroyed($0) }
        + new.map { record in before[record[keyPath: key]].map { .updated(from: $0, to: record) } ?? .created(record) }
}

extension Row {
    func decode<Record: Model>(_ type: Record.Type) throws -> Record {
        guard let record = try ModelDescription(type).decode(self) as? Record else {
            throw DionysusError(.typeMismatch, "a row is no \(type)")
        }
        return record
    }
}

extension ProducerHarness {
    /// Runs statements, each in a transaction of its own.
    func run(_ statements: String...) async throws {
        for statement in statements {
            _ = try await database.transaction(.write) { try $0.run(SQL(raw: statement)) }
        }
    }

    /// Runs a body on a database with tables of its own.
    static func run(
        _ kind: TestDatabaseKind,
        tables: [String],
        settings: ProducerSettings = ProducerSettings(),
        producer: any Producer,
        _ body: (ProducerHarness) async throws -> Void
    ) async throws {
        try await withTemporaryDatabase(kind) { database in
            try await withTemporaryDirectory { directory in
                let broker = try EmbeddedBroker(path: "\(directory)/log.sqlite")
                let registry = Registry(producer, settings: settings)
                _ = try await database.transaction(.write) { try $0.run(tables.map { SQL(raw: $0) }) }
                let harness = ProducerHarness(
                    database: database,
                    broker: broker,
                    registry: registry,
                    settings: settings
                )
                try await harness.schema.migrate(lanes: settings.lanes)
                try await body(harness)
                await broker.close()
            }
        }
    }

    /// The same database and log with another declaration.
    func declaring(_ producer: some Producer, settings: ProducerSettings? = nil) -> ProducerHarness {
        let settings = settings ?? self.settings
        return ProducerHarness(
            database: database,
            broker: broker,
            registry: Registry(producer, settings: settings),
            settings: settings
        )
    }
}
