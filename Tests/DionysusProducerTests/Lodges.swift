import Dionysus
import DionysusProducer
import TestSupport

// Lodges with owners, stays, guests and tags, for attributes that are SQL.

struct Lodge: Model {
    var id: Int
    var name: String

    enum CodingKeys: String, CodingKey { case id, name }

    static let stays = hasMany(Stay.self, by: .lodgeID)
}

struct Stay: Model {
    var id: Int
    var lodgeID: Int
    var price: Int

    enum CodingKeys: String, CodingKey {
        case id, price
        case lodgeID = "lodge_id"
    }

    static let lodge = belongsTo(Lodge.self, by: .lodgeID)
}

/// Publishes lodges with attributes that are SQL.
struct LodgeSync: Producer {
    struct Serializer: ModelSerializer {
        var attributes: [Attribute<Lodge>]

        var fields: Fields<Lodge> {
            Attributes(.id, .name)
            for attribute in attributes { attribute }
        }
    }

    var attributes: [Attribute<Lodge>]

    init(_ attributes: Attribute<Lodge>...) { self.attributes = attributes }

    var namespaces: [Namespace] {
        Namespace("v1", serializers: Serializers { Serializer(attributes: attributes) }) {
            Topic("lodges") { Publish(Lodge.self) }
        }
    }
}

extension LodgeSync {
    /// Publishes one attribute, `value`, of a text.
    static func text(_ sql: String) -> LodgeSync { LodgeSync(Attribute("value", sql: sql, String.self)) }
}

enum LodgeSchema {
    /// The tables; amounts are whole numbers, so that all databases sum them alike.
    static func create(in transaction: inout Transaction) throws {
        let isPostgres = transaction.dialect.name == "PostgreSQL"
        let json: SQL = isPostgres ? "jsonb" : "json"
        try transaction.run([
            """
            CREATE TABLE owners (id bigint PRIMARY KEY, name text NOT NULL, fee bigint NOT NULL DEFAULT 0, region text)
            """,
            """
            CREATE TABLE lodges (id bigint PRIMARY KEY, name text NOT NULL, owner_id bigint NOT NULL REFERENCES owners (id),
              price numeric(10,2) NOT NULL DEFAULT 0, rooms bigint NOT NULL DEFAULT 1, settings \(json))
            """,
            "CREATE TABLE guests (id bigint PRIMARY KEY, name text NOT NULL, country text)",
            """
            CREATE TABLE stays (id bigint PRIMARY KEY, lodge_id bigint NOT NULL REFERENCES lodges (id),
              former_lodge_id bigint REFERENCES lodges (id), guest_id bigint REFERENCES guests (id),
              price bigint NOT NULL DEFAULT 0, nights bigint NOT NULL DEFAULT 1, note text, gone_at timestamp)
            """,
            "CREATE TABLE tags (id bigint PRIMARY KEY, label text NOT NULL, weight bigint NOT NULL DEFAULT 1)",
            """
            CREATE TABLE lodge_tags (id bigint PRIMARY KEY, lodge_id bigint NOT NULL REFERENCES lodges (id),
              tag_id bigint NOT NULL REFERENCES tags (id), place bigint NOT NULL DEFAULT 0)
            """,
            "CREATE TABLE holidays (day text PRIMARY KEY, name text)",
            "CREATE VIEW open_stays AS SELECT id, lodge_id, price FROM stays WHERE gone_at IS NULL",
            """
            CREATE VIEW lodge_totals AS SELECT s.lodge_id, sum(s.price) AS total FROM open_stays s GROUP BY s.lodge_id
            """,
        ])
    }

    static let records: [SQL] = [
        "INSERT INTO owners (id, name, fee, region) VALUES (1, 'Ann', 10, 'north'), (2, 'Bob', 20, 'south')",
        """
        INSERT INTO lodges (id, name, owner_id, price, rooms, settings) VALUES (1, 'Alm', 1, 10.50, 2, '{"color":"red"}'),
          (2, 'Bay', 1, 20, 3, NULL), (3, 'Col', 2, 30, 1, '{"color":"blue","size":3}')
        """,
        "INSERT INTO guests (id, name, country) VALUES (1, 'Gil', 'NO'), (2, 'Hal', 'SE')",
        """
        INSERT INTO stays (id, lodge_id, former_lodge_id, guest_id, price, nights) VALUES (1, 1, 2, 1, 100, 2),
          (2, 1, NULL, 2, 50, 1), (3, 2, NULL, 1, 70, 3)
        """,
        "INSERT INTO tags (id, label, weight) VALUES (1, 'sea', 1), (2, 'hill', 2)",
        "INSERT INTO lodge_tags (id, lodge_id, tag_id) VALUES (1, 1, 1), (2, 2, 1), (3, 1, 2)",
        "INSERT INTO holidays (day, name) VALUES ('2026-12-25', 'Christmas')",
    ]
}

extension ProducerHarness {
    /// Runs a body with lodges that have been published.
    static func withLodges(
        _ kind: TestDatabaseKind,
        _ producer: some Producer,
        settings: ProducerSettings = ProducerSettings(),
        preparing statements: [SQL] = [],
        _ body: (ProducerHarness) async throws -> Void
    ) async throws {
        try await run(
            kind,
            settings: settings,
            producer: producer,
            tables: { try LodgeSchema.create(in: &$0) },
            preparing: LodgeSchema.records + statements,
            body
        )
    }

    /// The last payload of a lodge.
    func lodge(_ id: Int) async throws -> JSON {
        try await messages(in: "v1_lodges").last { $0.key == "Lodge:\(id)" }?.payload ?? .null
    }
}
