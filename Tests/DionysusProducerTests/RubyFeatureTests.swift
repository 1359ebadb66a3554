import Dionysus
import DionysusProducer
import TestSupport
import Testing

@testable import Rentals

/// What dionysus-rb's README offers to producers, feature by feature.
@Suite struct RubyFeatureTests {
    private static let villas = [
        """
        CREATE TABLE villas (
          id INTEGER PRIMARY KEY, account_id INTEGER, region TEXT, type TEXT, name TEXT, deleted_at TEXT, canceled_at TEXT
        )
        """,
        "CREATE TABLE pools (id INTEGER PRIMARY KEY, villa_id INTEGER, name TEXT)",
    ]

    private static func run(
        _ kind: TestDatabaseKind,
        _ settings: ProducerSettings = ProducerSettings(),
        _ producer: any Producer,
        _ body: (ProducerHarness) async throws -> Void
    ) async throws {
        try await ProducerHarness.run(kind, tables: villas, settings: settings, producer: producer, body)
    }

    // MARK: Tombstones

    @Test("tombstone with a custom key", arguments: TestDatabaseKind.available)
    func tombstoneKey(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.broker.createTopics(BookingSync().publishedTopics(harness.settings).map(\.specification))
            let publisher = TombstonePublisher(harness.registry, database: harness.database, broker: harness.broker)
            let all = try await publisher.publish(key: "RecordsCollection:1", topic: "v3_rentals")
            #expect(all.count == 4)
            let one = try await publisher.publish(
                key: "RecordsCollection:1",
                topic: "v3_rentals",
                partitionKey: "1"
            )
            #expect(one.map(\.partition) == [TopicPartition("v3_rentals", 3)])
            try await publisher.publish(
                Rental.self,
                id: "7",
                topic: "v3_rentals",
                partitionKey: "1",
                key: "Old:7"
            )
            let messages = try await readRaw("v3_rentals", from: harness.broker)
            #expect(messages.allSatisfy { $0.value == nil })
            let keys = messages.map { String(decoding: $0.key ?? [], as: UTF8.self) }
            #expect(keys.sorted() == ["Old:7"] + Array(repeating: "RecordsCollection:1", count: 5))

            // A key that is a record's is that record's: it is there, and is not forgotten.
            try await harness.write(CaptureTests.account, CaptureTests.rental)
            for key in ["Rental:1", "Rental:01"] {
                let error = await #expect(throws: DionysusError.self) {
                    try await publisher.publish(key: key, topic: "v3_rentals")
                }
                #expect(error?.code == .conflict)
            }
            for (key, topic, code) in [("", "v3_rentals", DionysusError.Code.malformed), ("a", "v9_ghosts", .notFound)]
            {
                let error = await #expect(throws: DionysusError.self) {
                    try await publisher.publish(key: key, topic: topic)
                }
                #expect(error?.code == code)
            }
        }
    }

    // MARK: Partition keys

    @Test(
        "partition key by a closure per topic, and as the default of all topics",
        arguments: TestDatabaseKind.available
    )
    func partitionKeys(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.partitionKey = .computed(reading: "name", "region", orderedBy: .record) { record in
            (record as? Pool)?.name
        }
        try await Self.run(kind, settings, KeyedSync()) { harness in
            #expect(try await harness.schema.validate() == [])
            try await harness.run(
                "INSERT INTO villas (id, region, name) VALUES (1, 'north', 'a')",
                "INSERT INTO pools (id, villa_id, name) VALUES (1, 1, 'deep')"
            )
            try await harness.relay()
            // The closure of the topic tells models apart; what it knows nothing of goes by its message key.
            let villa = try #require(try await readRaw("v1_villas", from: harness.broker).first)
            #expect(villa.source.partition == Partitioner.crc32.partition(of: Array("north".utf8), partitions: 4))
            let pools = try await readRaw("v1_villas", from: harness.broker).filter { $0.keyText == "Pool:1" }
            #expect(
                pools.map(\.source.partition)
                    == [Partitioner.crc32.partition(of: Array("Pool:1".utf8), partitions: 4)]
            )
            let pool = try #require(try await readRaw("v1_pools", from: harness.broker).first)
            #expect(pool.source.partition == Partitioner.crc32.partition(of: Array("deep".utf8), partitions: 4))

            // A record that is gone is where it was: the outbox has kept what the closures read.
            try await harness.run("DELETE FROM villas", "DELETE FROM pools")
            try await harness.relay()
            let gone = try await readRaw("v1_villas", from: harness.broker).filter { $0.keyText == "Villa:1" }
            #expect(Set(gone.map(\.source.partition)) == [villa.source.partition] && gone.count == 2)
            let ended = try await readRaw("v1_pools", from: harness.broker)
            #expect(Set(ended.map(\.source.partition)) == [pool.source.partition] && ended.count == 2)
        }
    }

    // MARK: Soft deletion

    @Test(
        "updates after soft delete by a condition on columns",
        arguments: TestDatabaseKind.available,
        [CaptureMethod.triggers, .application]
    )
    func updatesAfterSoftDelete(_ kind: TestDatabaseKind, _ method: CaptureMethod) async throws {
        switch method {
        case .triggers: try await Self.conditions(kind, Archive<ByTriggers>.self)
        case .application, .polling: try await Self.conditions(kind, Archive<ByApplication>.self)
        }
    }

    private static func conditions<Choice: CaptureChoice>(
        _ kind: TestDatabaseKind,
        _ model: Archive<Choice>.Type
    ) async throws {
        try await run(kind, ProducerSettings(), ArchiveSync<Choice>()) { harness in
            #expect(try await harness.schema.validate() == [])
            let recorder = OutboxRecorder(harness.registry, database: harness.database)
            func change(_ statement: String) async throws {
                try await harness.database.transaction(.write) { transaction in
                    func records(_ transaction: inout Transaction) throws -> [Archive<Choice>] {
                        try transaction.run("SELECT * FROM villas ORDER BY id").rows
                            .map { try $0.decode(Archive<Choice>.self) }
                    }
                    let old = try records(&transaction)
                    try transaction.run(SQL(raw: statement))
                    guard Choice.method == .application else { return }
                    let new = try records(&transaction)
                    for (old, new) in zip(old, new) {
                        try recorder.record(.updated(from: old, to: new), in: &transaction)
                    }
                }
            }
            try await harness.run(
                "INSERT INTO villas (id, type, name, canceled_at) VALUES (1, 'archive', 'a', '2026-01-01T00:00:00.000000Z')",
                "INSERT INTO villas (id, type, name, canceled_at) VALUES (2, 'plain', 'b', '2026-01-01T00:00:00.000000Z')",
                "INSERT INTO villas (id, name, canceled_at) VALUES (3, 'c', '2026-01-01T00:00:00.000000Z')",
                "DELETE FROM dionysus_outboxes"
            )
            try await change("UPDATE villas SET name = name || '!'")
            #expect(try await harness.pending() == ["archive_updated Archive:1 v1_archives -"])
            try await harness.relay()
            #expect(try await harness.events(in: "v1_archives") == ["archive_updated Archive:1"])

            // Its parts too, also where the relay expands them.
            try await harness.run(
                "INSERT INTO pools (id, villa_id, name) VALUES (1, 1, 'x')",
                "INSERT INTO pools (id, villa_id, name) VALUES (2, 2, 'y')"
            )
            if Choice.method == .application {
                try await harness.run(
                    """
                    INSERT INTO dionysus_outboxes (resource_class, resource_id, event_name, topic, created_at, updated_at)
                    VALUES ('Pool', '1', 'pool_updated', 'v1_archives', '2026-01-01 00:00:00', '2026-01-01 00:00:00'),
                      ('Pool', '2', 'pool_updated', 'v1_archives', '2026-01-01 00:00:00', '2026-01-01 00:00:00')
                    """
                )
            }
            try await harness.relay()
            let events = try await harness.events(in: "v1_archives")
            #expect(Set(events) == ["archive_updated Archive:1"])
            #expect(events.count == (Choice.method == .application ? 3 : 2))
        }
    }

    @Test("soft-delete column for all models that name none", arguments: TestDatabaseKind.available)
    func softDeleteColumn(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.softDeleteColumn = "deleted_at"
        try await Self.run(kind, settings, VillaSync()) { harness in
            try await harness.run(
                "INSERT INTO villas (id, account_id, name) VALUES (1, 1, 'a')",
                "UPDATE villas SET deleted_at = '2026-01-01T00:00:00.000000Z'",
                "UPDATE villas SET name = 'b'",
                "UPDATE villas SET canceled_at = '2026-01-01T00:00:00.000000Z', deleted_at = NULL"
            )
            #expect(
                try await harness.pending() == [
                    "villa_created Villa:1 v1_villas 1", "villa_destroyed Villa:1 v1_villas 1",
                    "villa_created Villa:1 v1_villas 1",
                ]
            )
            try await harness.run(
                "DELETE FROM dionysus_outboxes",
                "UPDATE villas SET deleted_at = '2026-01-01T00:00:00.000000Z'"
            )
            _ = try await harness.genesis.start(topic: "v1_villas", model: "Villa")
            try await harness.relay()
            let events = try await harness.events(in: "v1_villas")
            #expect(Set(events) == ["villa_destroyed Villa:1"])
        }
    }

    // MARK: Serializers

    @Test("a serializer chosen per record, by a type column", arguments: TestDatabaseKind.available)
    func chosenSerializer(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, ProducerSettings(), ChoosingSync()) { harness in
            #expect(try await harness.schema.validate() == [])
            try await harness.run(
                "INSERT INTO villas (id, type, region, name) VALUES (1, 'Palace', 'north', 'a')",
                "INSERT INTO villas (id, type, region, name) VALUES (2, 'Hut', 'south', 'b')",
                "INSERT INTO villas (id, region, name) VALUES (3, 'west', 'c')",
                "INSERT INTO pools (id, villa_id, name) VALUES (9, 1, 'deep')"
            )
            try await harness.relay()
            let messages = try await harness.messages(in: "v1_villas")
            func last(_ key: String) -> String? { messages.last { $0.key == key }?.payload.text }
            #expect(
                last("Villa:1")
                    == #"{"id":1,"grandeur":"NORTH","links":{"pools":[9]},"pools":[{"id":9,"name":"deep","links":{}}]}"#
            )
            #expect(last("Villa:2") == #"{"id":2,"region":"south","links":{}}"#)
            #expect(last("Villa:3") == #"{"id":3,"name":"c","links":{}}"#)
        }
        let palace = Villa(id: 4, type: "Palace", region: "east", name: "d")
        let alone = try ChoosingSync.serializer.payload(of: palace)
        #expect(alone.text == #"{"id":4,"grandeur":"EAST","links":{"pools":[]}}"#)
    }

    @Test("a fault of a serializer that may be chosen is reported", arguments: TestDatabaseKind.available)
    func chosenFaults(_ kind: TestDatabaseKind) async throws {
        try await Self.run(kind, ProducerSettings(), VillaSync()) { harness in
            let registry = Registry(WrongChoiceSync())
            let faults = try await OutboxSchema(database: harness.database, registry: registry).validate()
            #expect(faults.contains { $0.contains("there is no table ghosts") }, "\(faults)")
        }
    }

    // MARK: Recording

    @Test("capture by the application is off for one process", arguments: TestDatabaseKind.available)
    func recordingOff(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.recordsChanges = false
        try await CaptureTrial<ByApplication>
            .run(kind, settings: settings) { trial in
                try await trial.change(CaptureTrial<ByApplication>.shop, "UPDATE shops SET name = 'x'")
                #expect(try await trial.harness.pending() == [])
                // Another process of the same outbox records, and nothing has to be migrated.
                let other = OutboxRecorder(
                    Registry(ShopSync<ByApplication>()),
                    database: trial.harness.database
                )
                try await trial.harness.database.transaction(.write) { transaction in
                    let shop = try transaction.run("SELECT * FROM shops").first?.decode(Shop<ByApplication>.self)
                    if let shop { try other.record(.created(shop), in: &transaction) }
                }
                #expect(try await trial.harness.pending() == ["shop_created Shop:1 v1_shops 7"])
                #expect(try await trial.harness.schema.validate() == [])
            }
        try await CaptureTrial<ByTriggers>
            .run(kind, settings: settings) { trial in
                try await trial.change(CaptureTrial<ByTriggers>.shop)
                #expect(try await trial.harness.pending() == ["shop_created Shop:1 v1_shops 7"])
            }
    }
}

private struct Villa: Model {
    var id: Int
    var type: String?
    var region: String?
    var name: String?

    enum CodingKeys: String, CodingKey { case id, type, region, name }

    static let pools = hasMany(Pool.self, by: .villaID)
}

private struct Pool: Model {
    var id: Int
    var villaID: Int?
    var name: String?

    enum CodingKeys: String, CodingKey {
        case id, name
        case villaID = "villa_id"
    }
}

private struct Archive<Choice: CaptureChoice>: Model {
    var id: Int
    var type: String?
    var name: String?
    var canceledAt: String?

    enum CodingKeys: String, CodingKey {
        case id, type, name
        case canceledAt = "canceled_at"
    }

    static var modelName: String { "Archive" }
    static var tableName: String { "villas" }
    static var captureMethod: CaptureMethod { Choice.method }
    static var updatesAfterSoftDelete: ColumnCondition? { ColumnCondition("type", isAnyOf: ["archive", "it's"]) }
    static var pools: ToManyAssociation<Archive, Pool> { hasMany(Pool.self, by: .villaID) }
}

private struct ArchiveSync<Choice: CaptureChoice>: Producer {
    struct Serializer: ModelSerializer {
        var fields: Fields<Archive<Choice>> {
            Attributes(.id, .name)
            HasMany("pools", Archive<Choice>.pools)
        }
    }

    var namespaces: [Namespace] {
        Namespace(
            "v1",
            serializers: Serializers {
                Serializer(); Whole(Pool.self)
            }
        ) {
            Topic("archives") { Publish(Archive<Choice>.self, with: Archive<Choice>.pools) }
        }
    }
}

private struct VillaSync: Producer {
    var namespaces: [Namespace] {
        Namespace("v1", serializers: Serializers { Whole(Villa.self) }) { Topic("villas") { Publish(Villa.self) } }
    }
}

private struct KeyedSync: Producer {
    var namespaces: [Namespace] {
        Namespace(
            "v1",
            serializers: Serializers {
                Whole(Villa.self); Whole(Pool.self)
            }
        ) {
            Topic("villas", partitionKey: .computed(reading: "region") { ($0 as? Villa)?.region }) {
                Publish(Villa.self)
                Publish(Pool.self)
            }
            Topic("pools") { Publish(Pool.self) }
        }
    }
}

private struct ChoosingSync: Producer {
    struct Palace: ModelSerializer {
        var fields: Fields<Villa> {
            Attributes(.id)
            Attribute("grandeur") { villa, _ in villa.region?.uppercased() }
            HasMany("pools", Villa.pools)
        }
    }

    struct Hut: ModelSerializer {
        var fields: Fields<Villa> { Attributes(.id, .region) }
    }

    struct Other: ModelSerializer {
        var fields: Fields<Villa> { Attributes(.id, .name) }
    }

    struct PoolSerializer: ModelSerializer {
        var fields: Fields<Pool> { Attributes(.id, .name) }
    }

    static let serializer = ChosenSerializer(
        by: Villa.CodingKeys.type,
        ["Palace": Palace(), "Hut": Hut()],
        otherwise: Other()
    )

    var namespaces: [Namespace] {
        Namespace(
            "v1",
            serializers: Serializers {
                Self.serializer; PoolSerializer()
            }
        ) {
            Topic("villas", partitionKey: .messageKey) { Publish(Villa.self, with: Villa.pools) }
        }
    }
}

private struct WrongChoiceSync: Producer {
    struct Ghost: Model {
        var id: Int

        enum CodingKeys: String, CodingKey { case id }
    }

    struct Haunted: ModelSerializer {
        var fields: Fields<Villa> {
            Attributes(.id)
            HasMany("ghosts", Villa.hasMany(Ghost.self, by: .id))
        }
    }

    var namespaces: [Namespace] {
        let serializer = ChosenSerializer(
            by: Villa.CodingKeys.type,
            ["Haunted": Haunted()],
            otherwise: ChoosingSync.Other()
        )
        return [
            Namespace("v1", serializers: Serializers { serializer }) { Topic("villas") { Publish(Villa.self) } }
        ]
    }
}

extension ConsumedMessage {
    fileprivate var keyText: String { String(decoding: key ?? [], as: UTF8.self) }
}
