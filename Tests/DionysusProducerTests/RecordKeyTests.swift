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
                Topic("gadgets", partitionKey: "owner_id") {
                    Publish(Gadget.self).observing(Owner.self, .name, through: Owner.gadgets)
                }
            }
        }
    }

    /// How a UUID is stored.
    struct Storage: Sendable, CustomTestStringConvertible {
        let kind: TestDatabaseKind
        let type: String
        /// As 16 bytes, as GRDB does it, and not as text.
        var isBytes = false

        static let all = TestDatabaseKind.available.flatMap { kind in
            kind == .postgres
                ? ["uuid", "text", "varchar(36)", "char(40)"].map { Storage(kind: kind, type: $0) }
                : ["uuid", "TEXT", "TEXT COLLATE NOCASE"].map { Storage(kind: kind, type: $0) }
                    + ["BLOB", "TEXT", "uuid"].map { Storage(kind: kind, type: $0, isBytes: true) }
        }

        var testDescription: String { "\(kind) \(type)\(isBytes ? " as bytes" : "")" }

        func literal(_ text: String) -> SQL { SQL(raw: isBytes ? "x'\(text.replacing("-", with: ""))'" : "'\(text)'") }
    }

    @Test("a UUID is one record in whatever way it is stored, from creation to destruction", arguments: Storage.all)
    func spellings(_ storage: Storage) async throws {
        let (kind, type) = (storage.kind, storage.type)
        let upper = "6A2F41A3-C54C-4CE8-93D2-0324E1C32E22"
        let other = "0B2F41A3-C54C-4CE8-93D2-0324E1C32E22"
        let (id, otherID) = (upper.lowercased(), other.lowercased())
        let tables = [
            "CREATE TABLE owners (id \(type) PRIMARY KEY, name text NOT NULL)",
            "CREATE TABLE gadgets (id \(type) PRIMARY KEY, owner_id \(type))",
        ]
        try await ProducerHarness.run(kind, tables: tables, producer: Sync()) { harness in
            try await harness.write(
                "INSERT INTO owners (id, name) VALUES (\(storage.literal(upper)), 'a')",
                "INSERT INTO gadgets (id, owner_id) VALUES (\(storage.literal(other)), \(storage.literal(upper)))"
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
            // The owner's change, too.
            let gadgets = try await harness.events(in: "v1_gadgets")
            #expect(gadgets == ["created", "updated"].map { "gadget_\($0) Gadget:\(otherID)" })
            let preview = try await MessagePreview.of(
                "Gadget",
                id: upper.replacing("6A2F", with: "0B2F"),
                in: "v1_gadgets",
                harness.registry,
                database: harness.database
            )
            #expect(preview?.key == "Gadget:\(otherID)")

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
        let producer: any Producer = base == "bigint" ? Numbers() : Codes()
        try await ProducerHarness.run(kind, tables: tables, producer: producer) { harness in
            try await harness.write("INSERT INTO codes (id) VALUES ('12')")
            try await harness.relay()
            try await harness.write("DELETE FROM codes")
            try await harness.relay()
            #expect(try await harness.events(in: "v1_codes") == ["code_created Code:12", "code_destroyed Code:12"])
        }
    }

    @Test(
        "records whose UUIDs are stored as bytes are all published by a genesis run",
        arguments: ["BLOB", "TEXT", "uuid"]
    )
    func genesis(_ type: String) async throws {
        let tables: [SQL] = [
            "CREATE TABLE owners (id \(raw: type) PRIMARY KEY, name text NOT NULL)",
            "CREATE TABLE gadgets (id \(raw: type) PRIMARY KEY, owner_id \(raw: type))",
        ]
        try await ProducerHarness.genesis(.sqlite, producer: Sync(), tables: tables) { harness in
            try await harness.write(
                """
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 35)
                INSERT INTO owners (id, name) SELECT randomblob(16), 'a' FROM n
                """,
                "DELETE FROM dionysus_outboxes"
            )
            _ = try await harness.genesis.start(topic: "v1_owners", model: "Owner")
            try await harness.relay()
            let keys = try await harness.messages(in: "v1_owners").map(\.key)
            #expect(keys.count == 35 && Set(keys).count == 35)

            // Half of them as text: there is no order in which all are found.
            try await harness.write(
                "UPDATE owners SET id = hex(id) WHERE rowid % 2 = 0",
                "DELETE FROM dionysus_outboxes"
            )
            let error = await #expect(throws: DionysusError.self) {
                _ = try await harness.genesis.start(topic: "v1_owners", model: "Owner")
                try await harness.relay()
            }
            #expect(error?.description.contains("store all of them in one of the two ways") == true)
        }
    }

    struct Number: Model {
        var id: Int
        enum CodingKeys: String, CodingKey { case id }
        static let modelName = "Code"
        static let tableName = "codes"
    }

    struct Numbers: Producer {
        var namespaces: [Namespace] {
            Namespace("v1", serializers: Serializers { Whole(Number.self) }) { Topic("codes") { Publish(Number.self) } }
        }
    }

    /// A column, a key that it shouldn't hold and one that it should, and what stands in the warning.
    static let misplaced = [
        ("INT", "'abc'", "7", "stored as text"), ("BIGINT NOT NULL", "x'616263'", "7", "stored as bytes"),
        ("INT", "1.5", "7", "stored as real"), ("TEXT", "x'6162'", "'7'", "stored as bytes"),
        ("TEXT", "x'ff00'", "'7'", "stored as bytes"),
        ("TEXT", "x'6A2F41A3C54C4CE893D20324E1C32E22'", "'7'", "stored as bytes"),
    ]

    @Test(
        "a key of another type than its column fails with advice, is never taken for deleted, and is warned of",
        arguments: misplaced
    )
    func misplacedKeys(_ type: String, _ wrong: String, _ right: String, _ words: String) async throws {
        let tables = ["CREATE TABLE codes (id \(type) PRIMARY KEY)"]
        let producer: any Producer = type == "TEXT" ? Codes() : Numbers()
        try await ProducerHarness.run(.sqlite, tables: tables, producer: producer) { harness in
            let schema = OutboxSchema(database: harness.database, registry: harness.registry)
            #expect(try await schema.warnings().isEmpty)
            try await harness.write("INSERT INTO codes (id) VALUES (\(raw: wrong)), (\(raw: right))")
            try await harness.relay()
            #expect(try await harness.events(in: "v1_codes") == ["code_created Code:7"])
            let inspector = OutboxInspector(database: harness.database)
            var failed = try await inspector.entries(OutboxFilter(scope: .failed))
            #expect(failed.count == 1 && failed.first?.errorMessage?.isEmpty == false)
            let warnings = try await schema.warnings()
            #expect(warnings.count == 1 && warnings.first?.contains(words) == true, "\(warnings)")
            #expect(warnings.first?.contains("model Code") == true)

            try await harness.write("DELETE FROM dionysus_outboxes", "DELETE FROM codes WHERE id = \(raw: wrong)")
            try await harness.relay()
            failed = try await inspector.entries(OutboxFilter(scope: .failed))
            // Where the text says nothing of it, the end of the record is published under its text.
            let events = try await harness.events(in: "v1_codes")
            #expect(failed.count == 1 || events.last?.hasPrefix("code_destroyed Code:") == true, "\(events)")
            #expect(try await harness.messages(in: "v1_codes").allSatisfy { $0.payload["id"] != .null })
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
