import Dionysus
import DionysusConsumer
import DionysusProducer
import Foundation
import TestSupport
import Testing

/// Properties and columns that don't get on with each other, found before the first row.
@Suite struct ColumnFitTests {
    struct Held<Value: Codable & Sendable>: Model {
        var id: Int
        var value: Value

        enum CodingKeys: String, CodingKey, Sendable { case id, value }
        static var modelName: String { "Held" }
        static var tableName: String { "held" }
    }

    struct Publishing<Value: Codable & Sendable>: Producer {
        var namespaces: [Namespace] {
            Namespace("v3", serializers: Serializers { Whole(Held<Value>.self) }) {
                Topic("held") { Publish(Held<Value>.self) }
            }
        }
    }

    struct Keeping<Value: Codable & Sendable>: Consumer {
        var namespaces: [ConsumerNamespace] { ConsumerNamespace("v3") { ConsumerTopic("held") } }
        var models: Models { Persist("Held", as: Held<Value>.self) }
    }

    struct Verdict: Equatable { var faults: Int, warnings: Int }

    /// What a property and its column give, on the producer's side and, as a replica's, on the consumer's.
    private func check<Value: Codable & Sendable>(
        _ type: Value.Type,
        _ column: String,
        in database: any CapturingDatabase,
        _ expected: Verdict,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        _ = try await database.transaction(.write) { transaction in
            try transaction.run([
                "DROP TABLE IF EXISTS held",
                "CREATE TABLE held (id integer PRIMARY KEY, synced_id integer UNIQUE, value \(raw: column))",
            ])
        }
        let schema = OutboxSchema(
            database: database,
            registry: Registry(Publishing<Value>(), settings: ProducerSettings())
        )
        // Other findings, such as missing triggers, don't name the column.
        let faults = try await schema.validate().filter { $0.contains("column value") }
        let warnings = try await schema.warnings().filter { $0.contains("column value") }
        let place: Testing.Comment = "\(type) in \(column): \(faults) \(warnings)"
        #expect(
            Verdict(faults: faults.count, warnings: warnings.count) == expected,
            place,
            sourceLocation: sourceLocation
        )
        #expect((faults + warnings).allSatisfy { $0.contains("model Held") && $0.contains("held") })
        let consumer = ConsumerSchema(database: database)
        let kept = try await consumer.validate(Keeping<Value>(), settings: ConsumerSettings())
            .filter { $0.contains("column value") }
        let keptWarnings = try await consumer.warnings(Keeping<Value>(), settings: ConsumerSettings())
            .filter { $0.contains("column value") }
        #expect(
            Verdict(faults: kept.count, warnings: keptWarnings.count) == expected,
            place,
            sourceLocation: sourceLocation
        )
    }

    private let fits = Verdict(faults: 0, warnings: 0)
    private let never = Verdict(faults: 1, warnings: 0)
    private let sometimes = Verdict(faults: 0, warnings: 1)

    enum Mood: String, Codable { case good, bad }
    struct Detail: Codable, Sendable { var a: Int }

    @Test(
        "what the first row fails at is a fault, and what some rows fail at a warning",
        .enabled(if: TestDatabaseKind.available.contains(.postgres))
    )
    func postgres() async throws {
        try await withTemporaryDatabase(.postgres) { database in
            _ = try await database.transaction(.write) { try $0.run("CREATE TYPE mood AS ENUM ('good', 'bad')") }
            try await check(Int.self, "bigint NOT NULL", in: database, fits)
            try await check(Int.self, "integer NOT NULL", in: database, fits)
            try await check(Int.self, "bigint", in: database, sometimes)
            try await check(Int?.self, "bigint", in: database, fits)
            try await check(Int32.self, "bigint NOT NULL", in: database, sometimes)
            try await check(UInt8.self, "smallint NOT NULL", in: database, sometimes)
            try await check(Int.self, "numeric NOT NULL", in: database, sometimes)
            for column in [
                "text", "boolean", "uuid", "timestamptz", "date", "jsonb", "bytea", "double precision", "integer[]",
            ] {
                try await check(Int?.self, column, in: database, never)
            }
            try await check(String?.self, "boolean", in: database, never)
            try await check(String?.self, "bytea", in: database, never)
            try await check(String?.self, "text[]", in: database, never)
            try await check(String?.self, "mood", in: database, fits)
            try await check(Mood?.self, "mood", in: database, fits)
            try await check(Mood?.self, "boolean", in: database, never)
            try await check(Bool?.self, "text", in: database, never)
            try await check(Date?.self, "bigint", in: database, never)
            try await check(Date?.self, "date", in: database, fits)
            try await check(Timestamp?.self, "text", in: database, sometimes)
            try await check(CalendarDate?.self, "date", in: database, fits)
            try await check(CalendarDate?.self, "timestamptz", in: database, never)
            try await check(UUID?.self, "text", in: database, sometimes)
            try await check(UUID?.self, "bigint", in: database, never)
            try await check(Data?.self, "text", in: database, never)
            try await check(URL?.self, "text", in: database, fits)
            try await check(Double?.self, "numeric", in: database, fits)
            try await check(ExactDecimal?.self, "double precision", in: database, fits)
            try await check(Decimal?.self, "boolean", in: database, never)
            try await check([Int?]?.self, "integer[]", in: database, fits)
            try await check([Int]?.self, "integer[]", in: database, sometimes)
            try await check([Int?]?.self, "text[]", in: database, never)
            try await check([Mood?]?.self, "mood[]", in: database, fits)
            try await check([CalendarDate?]?.self, "date[]", in: database, fits)
            try await check([Int]?.self, "jsonb", in: database, fits)
            try await check([Int]?.self, "integer", in: database, never)
            try await check(Detail?.self, "jsonb", in: database, fits)
            try await check(Detail?.self, "text", in: database, sometimes)
            try await check([String: Int]?.self, "timestamptz", in: database, never)
            try await check(JSON.self, "jsonb", in: database, fits)
            try await check(JSON.self, "text", in: database, sometimes)
            try await check(JSON.self, "bytea", in: database, never)
        }
    }

    @Test("where a column holds any value, what its type makes unreadable is a fault")
    func sqlite() async throws {
        try await withTemporaryDatabase(.sqlite) { database in
            try await check(Int.self, "INTEGER NOT NULL", in: database, fits)
            try await check(Int32.self, "INTEGER", in: database, sometimes)
            try await check(Int?.self, "TEXT", in: database, never)
            try await check(Bool?.self, "varchar(5)", in: database, never)
            try await check(Double?.self, "TEXT", in: database, never)
            try await check(Date?.self, "INTEGER", in: database, never)
            try await check(UUID?.self, "INTEGER", in: database, never)
            try await check([Int]?.self, "REAL", in: database, never)
            try await check(Detail?.self, "BOOLEAN", in: database, never)
            try await check(Detail?.self, "TEXT", in: database, fits)
            try await check(Date?.self, "DATETIME", in: database, fits)
            try await check(ExactDecimal?.self, "NUMERIC(10,2)", in: database, fits)
            try await check(UUID?.self, "BLOB", in: database, fits)
            try await check(Bool?.self, "INTEGER", in: database, fits)
            try await check(JSON?.self, "whatever", in: database, fits)
        }
    }

    @Test(
        "attributes that no column holds and columns that no attribute fills are noted",
        arguments: TestDatabaseKind.available
    )
    func notes(_ kind: TestDatabaseKind) async throws {
        try await withTemporaryDatabase(kind) { database in
            _ = try await database.transaction(.write) { transaction in
                try transaction.run(
                    """
                    CREATE TABLE copies (id integer PRIMARY KEY, synced_id integer UNIQUE, synced_updated_at \
                    \(raw: transaction.dialect.columnType(.timestamp)), name text, spare text, synced_owner_id integer)
                    """
                )
            }
            let published = [
                PublishedAttributes(
                    topic: "v3_held",
                    model: "Held",
                    attributes: ["id", "name", "lost", "updated_at"],
                    links: ["owner"]
                ),
                PublishedAttributes(topic: "v3_other", model: "Held", attributes: ["gone"], links: []),
            ]
            let notes = try await ConsumerSchema(database: database)
                .notes(KeepingCopies(), on: published, settings: ConsumerSettings())
            #expect(
                notes == [
                    "topic v3_held, model Held: no column of table copies holds the attribute lost",
                    "topic v3_held, model Held: no attribute fills column spare of table copies",
                ]
            )
        }
    }
}

extension ColumnFitTests {
    @Test(
        "attributes that their columns in the replica can't hold are faults, those that they may not hold warnings",
        arguments: TestDatabaseKind.available
    )
    func misfits(_ kind: TestDatabaseKind) async throws {
        let kinds: [String: ValueKind] = [
            "flag": .bool, "number": .integer(bits: 64, isSigned: true), "fraction": .double, "price": .decimal,
            "name": .text,
            "token": .uuid, "place": .url, "blob": .bytes, "at": .time, "day": .date,
            "tags": .list(.text, hasNulls: false),
            "detail": .object, "free": .any,
        ]
        let bytes = kind == .postgres ? "bytea" : "blob"
        let never = [
            "bigint": ["flag", "token", "place", "blob", "at", "day", "tags", "detail"],
            "double precision": ["flag", "token", "place", "blob", "at", "day", "tags", "detail"],
            "timestamp": ["flag", "number", "fraction", "price", "token", "place", "blob", "tags", "detail"],
            "boolean": ["fraction", "price", "token", "place", "blob", "at", "day", "tags", "detail"],
            "uuid": ["flag", "number", "fraction", "price", "place", "blob", "at", "day", "tags", "detail"],
            bytes: ["flag", "number", "fraction", "price", "place", "at", "day", "tags", "detail"],
            "text": [],
        ]
        let sometimes = [
            "bigint": ["fraction", "price", "name"], "double precision": ["name"], "timestamp": ["name"],
            "boolean": ["number", "name"], "uuid": ["name"], bytes: ["name"], "text": [],
        ]
        let names = kinds.keys.sorted()
        let published = [
            PublishedAttributes(topic: "v3_held", model: "Held", attributes: names, links: [], kinds: kinds)
        ]
        try await withTemporaryDatabase(kind) { database in
            for (type, refused) in never {
                try await database.transaction(.write) { transaction in
                    let columns = names.map { "\($0) \(type)" }.joined(separator: ", ")
                    try transaction.run([
                        "DROP TABLE IF EXISTS copies", "CREATE TABLE copies (synced_id bigint UNIQUE, \(raw: columns))",
                    ])
                }
                let misfits = try await ConsumerSchema(database: database)
                    .misfits(KeepingCopies(), of: published, settings: ConsumerSettings())
                #expect(misfits.faults.count == refused.count, "\(type): \(misfits.faults)")
                for name in refused {
                    let fault = misfits.faults.first { $0.contains("the attribute \(name) ") } ?? ""
                    #expect(
                        fault.contains("column \(name) of table copies") && fault.contains("change the column's type")
                    )
                }
                let warned = names.filter { name in misfits.warnings.contains { $0.contains("the attribute \(name) ") }
                }
                #expect(warned == (sometimes[type] ?? []).sorted(), "\(type): \(misfits.warnings)")
            }
        }
    }
}

private struct KeepingCopies: Consumer {
    var namespaces: [ConsumerNamespace] { ConsumerNamespace("v3") { ConsumerTopic("held") } }
    var models: Models { Persist("Held", table: "copies") }
}
