import Dionysus
import DionysusConsumer
import DionysusProducer
import DionysusTesting
import Foundation
import Testing

/// Values of every kind, compared with what their columns hold.
@Suite(.timeLimit(.minutes(10))) struct VerifiedValueTests {
    @Test(arguments: ThrowAwayDatabase.available)
    func `a column that keeps fewer digits or writes values in its own way does not differ, another value does`(
        _ database: ThrowAwayDatabase
    ) async throws {
        let isPostgres = database != .sqlite
        try await ReplicationTest(
            Gallery(),
            GalleryMirror(),
            on: database,
            source: { try $0.run(isPostgres ? Self.postgresSource : Self.sqliteSource) },
            replica: { try $0.run(isPostgres ? Self.postgresReplica : Self.sqliteReplica) }
        ) { test in
            try await test.source.write { source in
                for id in 1...3 { try source.insert(Exhibit.sample(id)) }
            }
            try await test.settle()
            #expect(try await test.differing() == [])
            let changes: [(column: String, postgres: String, sqlite: String)] = [
                ("flag", "false", "0"), ("ratio", "0.25", "0.25"), ("price", "9.99", "9.99"), ("fine", "9.9", "9.9"),
                ("label", "'other'", "'other'"), ("at", "'2001-01-01 00:00:00+00'", "'2001-01-01T00:00:00.000000Z'"),
                ("token", "'0189DCD5-5311-7D40-8DB0-9496A2EEF37C'", "'0189dcd5-5311-7d40-8db0-9496a2eef37c'"),
                ("bytes", #"'\x01'"#, "x'01'"), ("tags", "'{z}'", #"'["z"]'"#), ("note", "'some'", "'some'"),
                ("doc", #"'{"a":2}'"#, #"'{"a":2}'"#),
            ]
            for change in changes {
                let value = isPostgres ? change.postgres : change.sqlite
                try await test.replica.write { replica in
                    try replica.run(
                        "UPDATE exhibits SET \(identifier: change.column) = \(raw: value) WHERE synced_id = 2"
                    )
                }
            }
            #expect(try await test.differing() == changes.map(\.column).sorted())
        }
    }

    private static let postgresSource: SQL = """
        CREATE TABLE exhibits (id bigint PRIMARY KEY, flag boolean, ratio double precision, price numeric(10,2),
          fine numeric(10,4), label text, at timestamptz, token uuid, bytes bytea, tags text[], note text, doc jsonb)
        """
    private static let postgresReplica: SQL = """
        CREATE TABLE exhibits (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, synced_id bigint UNIQUE NOT NULL,
          synced_version bigint, flag boolean, ratio real, price numeric(10,2), fine numeric(6,1), label char(20),
          at timestamptz(3), token uuid, bytes bytea, tags varchar(9)[], note text, doc json)
        """
    private static let sqliteSource: SQL = """
        CREATE TABLE exhibits (id INTEGER PRIMARY KEY, flag BOOLEAN, ratio DOUBLE, price NUMERIC, fine NUMERIC, label TEXT,
          at TIMESTAMP, token TEXT, bytes BLOB, tags JSON TEXT, note TEXT, doc JSON TEXT)
        """
    private static let sqliteReplica: SQL = """
        CREATE TABLE exhibits (id INTEGER PRIMARY KEY, synced_id BIGINT UNIQUE NOT NULL, synced_version BIGINT,
          flag BOOLEAN, ratio DOUBLE, price NUMERIC, fine NUMERIC, label TEXT, at TIMESTAMP, token TEXT, bytes BLOB,
          tags JSON TEXT, note TEXT, doc JSON TEXT)
        """
}

private struct Exhibit: Model {
    var id: Int
    var flag: Bool
    var ratio: Double
    var price: ExactDecimal
    var fine: ExactDecimal
    var label: String
    var at: Timestamp
    var token: UUID
    var bytes: Data
    var tags: [String]
    var note: String?
    var doc: JSON

    enum CodingKeys: String, CodingKey {
        case id, flag, ratio, price, fine, label, at, token, bytes, tags, note, doc
    }

    static func sample(_ id: Int) -> Exhibit {
        Exhibit(
            id: id,
            flag: true,
            ratio: 0.1,
            price: ExactDecimal("12.50") ?? 0,
            fine: ExactDecimal("1.26") ?? 0,
            label: "é ☃",
            at: Timestamp("2026-05-01T10:00:00.123456Z") ?? Timestamp(microseconds: 0),
            token: UUID(uuidString: "0189DCD5-5311-7D40-8DB0-9496A2EEF37B") ?? UUID(),
            bytes: Data([0, 255]),
            tags: ["a,b", "c\""],
            note: nil,
            doc: ["b": 1, "a": [.number("1.50"), "x"]]
        )
    }
}

private struct Gallery: Producer {
    var namespaces: [Namespace] {
        Namespace("v3", serializers: Serializers { Whole(Exhibit.self) }) {
            Topic("exhibits") { Publish(Exhibit.self) }
        }
    }
}

private struct GalleryMirror: Consumer {
    var namespaces: [Namespace] { Namespace("v3") { Topic("exhibits").verified() } }
}

extension ReplicationTest {
    /// Compares, and tells which columns differ.
    fileprivate func differing() async throws -> [String] {
        let run = try await Verification(database: source.database, registry: try #require(registry))
            .start(topic: "v3_exhibits", model: "Exhibit", on: broker)
        try await settle()
        var settings = ConsumerSettings()
        settings.clientID = "test"
        let verifications = ConsumerVerifications(GalleryMirror(), database: replica.database, settings: settings)
        let compared = try #require(try await verifications.runs(number: run.id).first)
        #expect(compared.state == .completed)
        #expect(compared.records == 3)
        return try await verifications.differences(of: compared).flatMap(\.columns)
    }
}
