import Dionysus
import DionysusConsumer
import DionysusProducer
import DionysusTesting
import Foundation
import Testing

/// Replicas whose ids are no numbers, which each database orders in its own way.
@Suite(.timeLimit(.minutes(10))) struct VerifiedKeyTests {
    @Test(arguments: ThrowAwayDatabase.available)
    func `rows with text and UUID ids are found that the source doesn't have`(_ database: ThrowAwayDatabase)
        async throws
    {
        try await withHarbour(database) { test in
            try await test.replica.write { replica in
                try replica.run("INSERT INTO ports (synced_id, name) VALUES ('nowhere', 'before all')")
            }
            #expect(try await test.verify("v3_ports", "Port") == ["extra nowhere"])
            let ids = (0..<12).map { _ in UUID() }
            try await test.source.write { source in
                for id in ids { try source.insert(Ship(id: id, name: "ship")) }
                for id in Self.ports { try source.insert(Port(id: id, name: "port")) }
            }
            try await test.settle()
            let invented = [UUID(uuidString: "00000000-0000-4000-8000-000000000001"), UUID()].compactMap(\.self)
            let texts = (ids + invented).map { $0.uuidString.lowercased() }
            try await test.replica.write { replica in
                try replica.run("UPDATE ships SET name = 'changed' WHERE synced_id = \(raw: "'\(texts[3])'")")
                try replica.run("DELETE FROM ships WHERE synced_id = \(raw: "'\(texts[7])'")")
                for id in texts.suffix(2) {
                    try replica.run("INSERT INTO ships (synced_id, name) VALUES (\(raw: "'\(id)'"), 'invented')")
                }
                try replica.run(
                    """
                    INSERT INTO ports (synced_id, synced_version, name)
                    SELECT 'Áland', synced_version, 'invented' FROM ports WHERE synced_id = 'ä'
                    """
                )
            }
            let ships = ["stale \(texts[3])", "missing \(texts[7])"] + texts.suffix(2).map { "extra \($0)" }
            #expect(try await test.verify("v3_ships", "Ship") == Set(ships))
            #expect(try await test.verify("v3_ports", "Port") == ["extra nowhere", "extra Áland"])
            #expect(try await test.replica.rows("dionysus_verified_keys").isEmpty)

            let runs = try await test.verifications.runs()
            for run in runs.suffix(2) { #expect(try await test.verifications.removeExtraRows(of: run) == 2) }
            #expect(try await test.verify("v3_ports", "Port") == [])
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `records that come and go during a run are no differences`(_ database: ThrowAwayDatabase) async throws {
        try await withHarbour(database) { test in
            try await test.source.write { source in
                for id in Self.ports { try source.insert(Port(id: id, name: "port")) }
            }
            try await test.settle()
            let run = try await test.start("v3_ports", "Port")
            try await test.source.write { source in
                try source.delete(Port(id: "10", name: "port"))
                try source.insert(Port(id: "AA", name: "new"))
                try source.insert(Port(id: "zz", name: "new"))
            }
            #expect(try await test.found(run) == [])
            #expect(try await test.replica.rows("ports").count == Self.ports.count + 1)
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `a part of the source says nothing of rows that it doesn't have`(_ database: ThrowAwayDatabase) async throws {
        try await withHarbour(database) { test in
            try await test.source.write { source in
                for id in Self.ports { try source.insert(Port(id: id, name: "port")) }
            }
            try await test.settle()
            try await test.replica.write { replica in
                try replica.run("INSERT INTO ports (synced_id, name) VALUES ('nowhere', 'invented')")
                try replica.run("DELETE FROM ports WHERE synced_id = 'b'")
            }
            #expect(try await test.found(try await test.start("v3_ports", "Port", from: "a")) == ["missing b"])
            #expect(try await test.found(try await test.start("v3_ports", "Port", to: "b")) == ["missing b"])
            #expect(try await test.replica.rows("dionysus_verified_keys").isEmpty)
        }
    }

    @Test(arguments: ThrowAwayDatabase.available)
    func `one record is compared alone, also one that the source doesn't have`(_ database: ThrowAwayDatabase)
        async throws
    {
        try await withHarbour(database) { test in
            let ids = (0..<3).map { _ in UUID() }
            try await test.source.write { source in
                for id in ids { try source.insert(Ship(id: id, name: "ship")) }
                for id in Self.ports { try source.insert(Port(id: id, name: "port")) }
            }
            try await test.settle()
            let invented = UUID().uuidString.lowercased()
            try await test.replica.write { replica in
                try replica.run("INSERT INTO ships (synced_id, name) VALUES (\(raw: "'\(invented)'"), 'invented')")
                try replica.run("INSERT INTO ports (synced_id, name) VALUES ('nowhere', 'invented'), ('zz', 'another')")
                try replica.run("UPDATE ports SET name = 'changed' WHERE synced_id IN ('b', 'ä')")
                try replica.run("DELETE FROM ports WHERE synced_id IN ('B', '10')")
            }
            let expected: [(topic: String, model: String, id: String, found: Set<String>)] = [
                ("v3_ports", "Port", "b", ["stale b"]), ("v3_ports", "Port", "B", ["missing B"]),
                ("v3_ports", "Port", "_", []), ("v3_ports", "Port", "nowhere", ["extra nowhere"]),
                ("v3_ports", "Port", "neither", []), ("v3_ships", "Ship", invented, ["extra \(invented)"]),
                ("v3_ships", "Ship", ids[1].uuidString.lowercased(), []),
            ]
            for (topic, model, id, found) in expected {
                let run = try await test.start(topic, model, from: id, to: id)
                #expect(try await test.found(run) == found, "\(model) \(id)")
                let last = try #require(try await test.verifications.lastRun(of: model, id: id))
                #expect(last.number == run && !last.isWhole)
                #expect(last.records == (found.contains { $0.hasPrefix("extra") } || id == "neither" ? 0 : 1))
            }
            #expect(try await test.verifications.lastRun(of: "Port", id: "9") == nil)
        }
    }

    /// PostgreSQL's and SQLite's orders of these differ, and so do those of collations.
    private static let ports = ["a", "B", "b", "ä", "Z-1", "10", "9", "_", "é ☃", "a'b"]
}

private func withHarbour(
    _ database: ThrowAwayDatabase,
    _ body: (ReplicationTest) async throws -> Void
) async throws {
    var settings = ReplicationSettings()
    settings.producer = .smallChunks(settings.producer)
    let uuid: SQL = database == .sqlite ? "TEXT" : "uuid"
    try await ReplicationTest(
        Harbour(),
        HarbourMirror(),
        on: database,
        settings: settings,
        source: { source in
            try source.run("CREATE TABLE ships (id \(uuid) PRIMARY KEY, name text)")
            try source.run("CREATE TABLE ports (id text PRIMARY KEY, name text)")
        },
        replica: { replica in
            for (table, type) in [("ships", uuid), ("ports", "text")] {
                try replica.run(
                    """
                    CREATE TABLE \(identifier: table) (synced_id \(type) UNIQUE NOT NULL, synced_version bigint, name text)
                    """
                )
            }
        },
        body
    )
}

extension ProducerSettings {
    /// The same with chunks so small that a run has several.
    fileprivate static func smallChunks(_ settings: ProducerSettings = ProducerSettings()) -> ProducerSettings {
        var settings = settings
        settings.genesisChunkSize = 4
        return settings
    }
}

private struct Ship: Model {
    var id: UUID
    var name: String

    enum CodingKeys: String, CodingKey { case id, name }
}

private struct Port: Model {
    var id: String
    var name: String

    enum CodingKeys: String, CodingKey { case id, name }
}

private struct Harbour: Producer {
    var namespaces: [Namespace] {
        Namespace(
            "v3",
            serializers: Serializers {
                Whole(Ship.self)
                Whole(Port.self)
            }
        ) {
            Topic("ships") { Publish(Ship.self) }
            Topic("ports") { Publish(Port.self) }
        }
    }
}

private struct HarbourMirror: Consumer {
    var namespaces: [Namespace] {
        Namespace("v3") {
            Topic("ships").verified()
            Topic("ports").verified()
        }
    }
}

extension ReplicationTest {
    fileprivate var verifications: ConsumerVerifications {
        var settings = ConsumerSettings()
        settings.clientID = "test"
        return ConsumerVerifications(HarbourMirror(), database: replica.database, settings: settings)
    }

    fileprivate func start(
        _ topic: String,
        _ model: String,
        from: String? = nil,
        to: String? = nil
    ) async throws -> Int64 {
        let registry = try #require(registry)
        return try await Verification(database: source.database, registry: registry, settings: .smallChunks())
            .start(topic: topic, model: model, from: from, to: to, on: broker).id
    }

    /// What a run has found once everything is published and applied.
    fileprivate func found(_ number: Int64) async throws -> Set<String> {
        try await settle()
        let run = try #require(try await verifications.runs(number: number).first)
        #expect(run.state == .completed)
        return Set(try await verifications.differences(of: run).map { "\($0.kind.rawValue) \($0.recordID)" })
    }

    fileprivate func verify(_ topic: String, _ model: String) async throws -> Set<String> {
        try await found(try await start(topic, model))
    }
}
