import Dionysus
import DionysusProducer
import Foundation
import TestSupport
import Testing

/// One text for each record, however its key is written, and keys that have none.
@Suite struct RecordKeyTests {
    struct Owner: Model {
        var id: UUID
        var name: String

        enum CodingKeys: String, CodingKey { case id, name }
        static let gadgets = hasMany(Gadget.self, by: .ownerID)
    }

    struct Gadget: Model {
        var id: UUID
        var ownerID: UUID?

        enum CodingKeys: String, CodingKey {
            case id
            case ownerID = "owner_id"
        }
        static let owner = belongsTo(Owner.self, by: .ownerID)
    }

    struct Sync: Producer {
        struct OwnerSerializer: ModelSerializer {
            var fields: Fields<Owner> {
                Attributes(.id, .name)
                HasMany("gadgets", Owner.gadgets)
            }
        }
        struct GadgetSerializer: ModelSerializer {
            var fields: Fields<Gadget> {
                Attributes(.id)
                HasOne("owner", Gadget.owner)
            }
        }

        var namespaces: [Namespace] {
            Namespace(
                "v1",
                serializers: Serializers {
                    OwnerSerializer()
                    GadgetSerializer()
                }
            ) {
                Topic("owners") { Publish(Owner.self, with: Owner.gadgets) }
                Topic("gadgets") { Publish(Gadget.self) }
            }
        }
    }

    static let types: [(TestDatabaseKind, String)] = TestDatabaseKind.available.flatMap { kind in
        (kind == .sqlite ? ["uuid", "TEXT", "TEXT COLLATE NOCASE"] : ["uuid", "text", "varchar(36)", "char(40)"])
            .map { (kind, $0) }
    }

    @Test("a UUID is one record in whatever spelling it is stored, from creation to destruction", arguments: types)
    func spellings(_ kind: TestDatabaseKind, _ type: String) async throws {
        let upper = "6A2F41A3-C54C-4CE8-93D2-0324E1C32E22"
        let other = "0B2F41A3-C54C-4CE8-93D2-0324E1C32E22"
        let (id, otherID) = (upper.lowercased(), other.lowercased())
        let tables = [
            "CREATE TABLE owners (id \(type) PRIMARY KEY, name text NOT NULL)",
            "CREATE TABLE gadgets (id \(type) PRIMARY KEY, owner_id \(type))",
        ]
        try await ProducerHarness.run(kind, tables: tables, producer: Sync()) { harness in
            try await harness.write(
                "INSERT INTO owners (id, name) VALUES ('\(raw: upper)', 'a')",
                "INSERT INTO gadgets (id, owner_id) VALUES ('\(raw: other)', '\(raw: upper)')"
            )
            try await harness.relay()
            try await harness.write("UPDATE owners SET name = 'b'")
            try await harness.relay()
            let owners = try await harness.messages(in: "v1_owners")
            #expect(Set(owners.map(\.key)) == ["Owner:\(id)"])
            #expect(Set(owners.map { $0.payload["id"] }) == [.string(id)])
            #expect(owners.last?.payload["name"] == .string("b"))
            #expect(owners.last?.payload["links"]?["gadgets"] == .array([.string(otherID)]))
            let gadget = try #require(try await harness.messages(in: "v1_gadgets").first)
            #expect(gadget.key == "Gadget:\(otherID)" && gadget.payload["id"] == .string(otherID))
            #expect(gadget.payload["links"]?["owner"] == .string(id))

            try await harness.write("DELETE FROM gadgets", "DELETE FROM owners")
            try await harness.relay()
            let last = try #require(try await harness.messages(in: "v1_owners").last)
            #expect(last.event == "owner_destroyed" && last.key == "Owner:\(id)" && last.payload["id"] == .string(id))
            #expect(try await harness.pending().isEmpty)
            let tombstones = try await TombstonePublisher(
                harness.registry,
                database: harness.database,
                broker: harness.broker
            )
            .publish(Owner.self, id: upper, topic: "v1_owners", partitionKey: "x")
            #expect(tombstones.count == 1)
            #expect(try await harness.messages(in: "v1_owners").allSatisfy { $0.key == "Owner:\(id)" })
        }
    }

    struct Code: Model {
        var id: String
        enum CodingKeys: String, CodingKey { case id }
    }

    struct Codes: Producer {
        var namespaces: [Namespace] {
            Namespace("v1", serializers: Serializers { Whole(Code.self) }) { Topic("codes") { Publish(Code.self) } }
        }
    }

    @Test(
        "texts that differ only in case or leading zeros are different records",
        arguments: TestDatabaseKind.available
    )
    func texts(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(
            kind,
            tables: ["CREATE TABLE codes (id text PRIMARY KEY)"],
            producer: Codes()
        ) { harness in
            try await harness.write("INSERT INTO codes (id) VALUES ('ab'), ('AB'), ('7'), ('007')")
            try await harness.relay()
            let messages = try await harness.messages(in: "v1_codes")
            #expect(messages.map(\.key).sorted() == ["Code:007", "Code:7", "Code:AB", "Code:ab"])
            #expect(messages.allSatisfy { $0.payload["id"] == .string(String($0.key.dropFirst("Code:".count))) })
        }
    }

    static let refused: [(TestDatabaseKind, String)] = TestDatabaseKind.available.flatMap { kind in
        (kind == .sqlite
            ? ["TEXT COLLATE NOCASE", "BLOB", "NUMERIC", "ANY", ""]
            : ["date", "inet", "int4range", "numeric", "citext", "bytea", "timestamptz", "folded", "loose"])
            .map { (kind, $0) }
    }

    @Test("a key without one exact text is a fault that says what to do", arguments: refused)
    func unsupported(_ kind: TestDatabaseKind, _ type: String) async throws {
        let prelude =
            kind == .sqlite
            ? []
            : [
                "CREATE EXTENSION IF NOT EXISTS citext",
                "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
                "CREATE DOMAIN folded AS citext", "CREATE DOMAIN loose AS text COLLATE nocase",
            ]
        try await withTemporaryDatabase(kind) { database in
            let statements = prelude + ["CREATE TABLE codes (id \(type) PRIMARY KEY)"]
            _ = try await database.transaction(.write) { try $0.run(statements.map { SQL(raw: $0) }) }
            let schema = OutboxSchema(database: database, registry: Registry(Codes(), settings: ProducerSettings()))
            let faults = try await schema.validate().filter { $0.contains("primary key id") }
            #expect(faults.count == 1, "\(faults)")
            #expect(faults.first?.contains("model Code") == true && faults.first?.contains(": ") == true)
        }
    }

    @Test(
        "a key of a domain over a supported type is captured and published",
        arguments: TestDatabaseKind.available.filter { $0 == .postgres },
        ["text", "bigint", "code", "varchar(5)"]
    )
    func domains(_ kind: TestDatabaseKind, _ base: String) async throws {
        let tables = [
            "CREATE DOMAIN code AS text", "CREATE DOMAIN ours AS \(base)", "CREATE TABLE codes (id ours PRIMARY KEY)",
        ]
        struct Number: Model {
            var id: Int
            enum CodingKeys: String, CodingKey { case id }
            static let modelName = "Code"
            static let tableName = "codes"
        }
        struct Numbers: Producer {
            var namespaces: [Namespace] {
                Namespace("v1", serializers: Serializers { Whole(Number.self) }) {
                    Topic("codes") { Publish(Number.self) }
                }
            }
        }
        let producer: any Producer = base == "bigint" ? Numbers() : Codes()
        try await ProducerHarness.run(kind, tables: tables, producer: producer) { harness in
            try await harness.write("INSERT INTO codes (id) VALUES ('12')")
            try await harness.relay()
            try await harness.write("DELETE FROM codes")
            try await harness.relay()
            #expect(try await harness.events(in: "v1_codes") == ["code_created Code:12", "code_destroyed Code:12"])
        }
    }

    @Test("a key that is stored as bytes fails with advice and is not taken for deleted")
    func bytes() async throws {
        try await ProducerHarness.run(
            .sqlite,
            tables: [
                "CREATE TABLE owners (id TEXT PRIMARY KEY, name text NOT NULL)",
                "CREATE TABLE gadgets (id TEXT PRIMARY KEY, owner_id TEXT)",
            ],
            producer: Sync()
        ) { harness in
            try await harness.write("INSERT INTO owners (id, name) VALUES (x'6A2F41A3C54C4CE893D20324E1C32E22', 'a')")
            try await harness.relay()
            let failed = try await OutboxInspector(database: harness.database).entries(OutboxFilter(scope: .failed))
            #expect(failed.count == 1 && failed.first?.errorMessage?.contains("store the key as text") == true)
        }
    }

    @Test("an integer key is one record with and without leading zeros", arguments: TestDatabaseKind.available)
    func zeros(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(CaptureTests.account, "UPDATE dionysus_outboxes SET resource_id = '001'")
            try await harness.relay()
            #expect(try await harness.events(in: "v3_accounts") == ["account_created Account:1"])
        }
    }
}
