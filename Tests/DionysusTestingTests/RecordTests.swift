import Dionysus
import DionysusProducer
import DionysusTesting
import Foundation
import Testing

/// Records that tests write and read.
@Suite(.timeLimit(.minutes(10))) struct RecordTests {
    @Test(arguments: ThrowAwayDatabase.available)
    func `records of all types survive a round trip`(_ database: ThrowAwayDatabase) async throws {
        try await ReplicationTest(
            producer: EverythingSync(),
            on: database,
            source: { try $0.createThings() }
        ) { test in
            let full = Thing(
                id: UUID(),
                isOn: true,
                number: 7,
                ratio: 0.25,
                price: ExactDecimal("12.50") ?? 0,
                time: Timestamp("2026-05-01T10:00:00.123456Z") ?? Timestamp(microseconds: 0),
                kind: .large,
                parts: .init(width: 3, names: ["a", "b'"]),
                note: "it's"
            )
            var bare = full
            bare.id = UUID()
            bare.isOn = false
            bare.note = nil
            try await test.source.write { [bare] in
                try $0.insert(full)
                try $0.insert(bare)
            }
            let found = try await test.source.rows(Thing.self)
            #expect(Set(found.map(\.id)) == [full.id, bare.id])
            #expect(found.first { $0.id == full.id } == full)
            #expect(found.first { $0.id == bare.id } == bare)
            bare.note = "now"
            bare.number = 8
            try await test.source.write { [bare] in try $0.update(bare) }
            #expect(try await test.source.rows(Thing.self).first { $0.id == bare.id } == bare)
            try await test.settle()
            let message = try #require(test.messages(in: "v1_things").last { $0.keyText == "Thing:\(full.id.text)" })
            #expect(message.payload?["is_on"] == true)
        }
    }

    @Test func `a missing column is reported`() async throws {
        try await ReplicationTest(
            producer: EverythingSync(),
            source: {
                try $0.createThings()
                try $0.run("CREATE TABLE others (id INTEGER PRIMARY KEY)")
            }
        ) { test in
            await #expect {
                try await test.source.write { try $0.insert(Other(id: 1, name: "a")) }
            } throws: { error in
                "\(error)".contains("table others has no column name, which Other names")
            }
        }
    }
}

private struct Thing: Model, Equatable {
    enum Kind: String, Codable, CaseIterable { case small, large }
    struct Parts: Codable, Equatable {
        var width: Int
        var names: [String]
    }

    var id: UUID
    var isOn: Bool
    var number: Int
    var ratio: Double
    var price: ExactDecimal
    var time: Timestamp
    var kind: Kind
    var parts: Parts
    var note: String?

    enum CodingKeys: String, CodingKey {
        case id, number, ratio, price, time, kind, parts, note
        case isOn = "is_on"
    }
}

private struct Other: Model {
    var id: Int
    var name: String

    enum CodingKeys: String, CodingKey { case id, name }
}

private struct EverythingSync: Producer {
    var namespaces: [Namespace] {
        Namespace("v1", serializers: Serializers { Whole(Thing.self) }) { Topic("things") { Publish(Thing.self) } }
    }
}

extension UUID {
    fileprivate var text: String { uuidString.lowercased() }
}

extension Transaction {
    fileprivate mutating func createThings() throws {
        let dialect = dialect
        let type = { (column: ColumnType) in SQL(raw: dialect.columnType(column)) }
        try run(
            """
            CREATE TABLE things (
              id \(type(.uuid)) PRIMARY KEY, is_on \(type(.boolean)) NOT NULL, number \(type(.bigint)) NOT NULL,
              ratio \(type(.double)) NOT NULL, price numeric(10,2) NOT NULL,
              time \(type(.timestamp)) NOT NULL, kind text NOT NULL, parts \(type(.json)) NOT NULL, note text
            )
            """
        )
    }
}
