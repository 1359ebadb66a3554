import Dionysus
import DionysusConsumer
import DionysusProducer
import Foundation
import Logging
import TestSupport
import Testing

/// Every type that a property may have: read from its column, published, kept by a replica, and bound to a statement.
@Suite struct AttributeTypeTests {
    /// One type of property.
    private struct Sample {
        let property: Exhibit.CodingKeys
        /// The column's type and a value of it, in each database.
        let postgres: (type: String, value: String)
        let sqlite: (type: String, value: String)
        /// The value on the wire.
        let wire: String
        /// The value in a statement; PostgreSQL needs a cast for lists of types of its own.
        let bound: @Sendable (Exhibit) throws -> SQL

        init(
            _ property: Exhibit.CodingKeys,
            _ postgres: (type: String, value: String),
            _ sqlite: (type: String, value: String),
            _ wire: String,
            _ bound: @escaping @Sendable (Exhibit) throws -> SQL
        ) {
            self.property = property
            self.postgres = postgres
            self.sqlite = sqlite
            self.wire = wire
            self.bound = bound
        }
    }

    private static let samples: [Sample] = [
        Sample(.id, ("bigint PRIMARY KEY", "1"), ("INTEGER PRIMARY KEY", "1"), "1") { _ in "\(2)" },
        Sample(.int8, ("smallint", "-128"), ("INTEGER", "-128"), "-128") { "\($0.int8)" },
        Sample(.int16, ("smallint", "32767"), ("SMALLINT", "32767"), "32767") { "\($0.int16)" },
        Sample(.int32, ("integer", "-2147483648"), ("INT", "-2147483648"), "-2147483648") { "\($0.int32)" },
        Sample(.int64, ("bigint", "9223372036854775807"), ("BIGINT", "9223372036854775807"), "9223372036854775807") {
            "\($0.int64)"
        },
        Sample(.uint, ("bigint", "7"), ("INTEGER", "7"), "7") { "\($0.uint)" },
        Sample(.uint8, ("smallint", "255"), ("INTEGER", "255"), "255") { "\($0.uint8)" },
        Sample(.uint16, ("integer", "65535"), ("INTEGER", "65535"), "65535") { "\($0.uint16)" },
        Sample(.uint32, ("bigint", "4294967295"), ("INTEGER", "4294967295"), "4294967295") { "\($0.uint32)" },
        Sample(
            .uint64,
            ("numeric(20)", "18446744073709551615"),
            ("TEXT", "'18446744073709551615'"),
            "18446744073709551615"
        ) {
            "\($0.uint64)"
        },
        Sample(.double, ("double precision", "0.1"), ("DOUBLE", "0.1"), "0.1") { "\($0.double)" },
        Sample(.float, ("real", "0.1"), ("REAL", "0.1"), "0.1") { "\($0.float)" },
        Sample(.decimal, ("numeric(10,2)", "1.25"), ("NUMERIC", "1.25"), #""1.25""#) { "\($0.decimal)" },
        Sample(.exact, ("numeric(10,2)", "1.50"), ("TEXT", "'1.50'"), #""1.50""#) { "\($0.exact)" },
        Sample(.flag, ("boolean", "true"), ("BOOLEAN", "1"), "true") { "\($0.flag)" },
        Sample(.text, ("text", "'é ☃ \"'"), ("TEXT", "'é ☃ \"'"), #""é ☃ \"""#) { "\($0.text)" },
        Sample(
            .uuid,
            ("uuid", "'0189DCD5-5311-7D40-8DB0-9496A2EEF37B'"),
            ("BLOB", "x'0189DCD553117D408DB09496A2EEF37B'"),
            #""0189dcd5-5311-7d40-8db0-9496a2eef37b""#
        ) { "\($0.uuid)" },
        Sample(
            .url,
            ("text", "'https://a.example/b?c=d'"),
            ("TEXT", "'https://a.example/b?c=d'"),
            #""https://a.example/b?c=d""#
        ) {
            "\($0.url)"
        },
        Sample(.data, ("bytea", #"'\x00ff'"#), ("BLOB", "x'00ff'"), #""AP8=""#) { "\($0.data)" },
        Sample(
            .date,
            ("timestamptz", "'2023-12-08 15:02:36.25+01'"),
            ("DATETIME", "'2023-12-08 14:02:36.25'"),
            #""2023-12-08T14:02:36.250000Z""#
        ) { "\($0.date)" },
        Sample(
            .time,
            ("timestamp", "'2023-12-08 14:02:36.280123'"),
            ("TIMESTAMP", "'2023-12-08T14:02:36.280123Z'"),
            #""2023-12-08T14:02:36.280123Z""#
        ) { "\($0.time)" },
        Sample(.day, ("date", "'2024-02-29'"), ("DATE", "'2024-02-29'"), #""2024-02-29""#) { "\($0.day)" },
        Sample(.color, ("color", "'green'"), ("TEXT", "'green'"), #""green""#) { "\($0.color)" },
        Sample(.level, ("smallint", "9"), ("INTEGER", "9"), "9") { "\($0.level)" },
        Sample(.nothing, ("integer", "NULL"), ("INTEGER", "NULL"), "null") { "\($0.nothing)" },
        Sample(.noColor, ("color", "NULL"), ("TEXT", "NULL"), "null") { "\($0.noColor)" },
        Sample(.numbers, ("integer[]", "'{1,-2}'"), ("JSON TEXT", "'[1,-2]'"), "[1,-2]") { "\($0.numbers)" },
        Sample(
            .texts,
            ("text[]", #"'{"a,b",NULL,"c\"\\"}'"#),
            ("JSON TEXT", #"'["a,b",null,"c\"\\"]'"#),
            #"["a,b",null,"c\"\\"]"#
        ) {
            "\($0.texts)"
        },
        Sample(.colors, ("color[]", "'{red,green}'"), ("JSON TEXT", #"'["red","green"]'"#), #"["red","green"]"#) {
            "\($0.colors)"
        },
        Sample(.days, ("date[]", "'{2024-02-29}'"), ("JSON TEXT", #"'["2024-02-29"]'"#), #"["2024-02-29"]"#) {
            "\($0.days)"
        },
        Sample(.gaps, ("bigint[]", "'{1,NULL}'"), ("JSON TEXT", "'[1,null]'"), "[1,null]") { "\($0.gaps)" },
        Sample(.empty, ("uuid[]", "'{}'"), ("JSON TEXT", "'[]'"), "[]") { "\($0.empty)" },
        Sample(.counts, ("jsonb", #"'{"a":1}'"#), ("JSON TEXT", #"'{"a":1}'"#), #"{"a":1}"#) {
            "\(try DatabaseValue.document($0.counts))"
        },
        Sample(
            .part,
            ("json", #"'{"name":"x","price":1.5,"isNew":true,"tags":["red"],"day":"2024-02-29"}'"#),
            ("JSON TEXT", #"'{"name":"x","price":1.5,"isNew":true,"tags":["red"],"day":"2024-02-29"}'"#),
            #"{"name":"x","price":1.5,"isNew":true,"tags":["red"],"day":"2024-02-29"}"#
        ) { "\(try DatabaseValue.document($0.part))" },
        Sample(
            .document,
            ("json", #"'{"n":[1.50,true,null],"off":0,"stock":1}'"#),
            ("JSON TEXT", #"'{"n":[1.50,true,null],"off":0,"stock":1}'"#),
            #"{"n":[1.50,true,null],"off":0,"stock":1}"#
        ) { "\($0.document)" },
    ]

    private static func columns(_ isSQLite: Bool, isReplica: Bool) -> SQL {
        samples.map { sample -> SQL in
            let type = isSQLite ? sample.sqlite.type : sample.postgres.type
            if sample.property == .id {
                return isReplica
                    ? "synced_id \(raw: isSQLite ? "INTEGER" : "bigint") UNIQUE" : "id \(raw: type)"
            }
            return "\(identifier: sample.property.stringValue) \(raw: type)"
        }
        .joined(separator: ", ")
    }

    private static func exhibits(_ query: SQL, in database: any Database) async throws -> [Exhibit] {
        let model = ModelDescription(Exhibit.self)
        return try await database.transaction(.snapshot) { transaction in
            try transaction.run(query).rows.compactMap { try model.decode($0) as? Exhibit }
        }
    }

    @Test("the page of types has a row for each of them")
    func page() async throws {
        let page = URL(filePath: #filePath).appending(path: "../../../docs/types.md").standardized
        let rows = try String(contentsOf: page, encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix("| `") }
        let types = try ModelDescription(Exhibit.self).decodedTypes()
        #expect(rows.count == Self.samples.count)
        for (sample, row) in zip(Self.samples, rows) {
            let type = types[sample.property.stringValue] ?? "?"
            let postgres = sample.postgres.type.replacing(" PRIMARY KEY", with: "")
            let sqlite = sample.sqlite.type.replacing(" PRIMARY KEY", with: "")
            #expect(row == "| `\(type)` | `\(postgres)` | `\(sqlite)` | `\(sample.wire)` |")
        }
    }

    @Test(
        "every type is read from its column, published, kept by a replica as it was, and bound",
        arguments: TestDatabaseKind.available
    )
    func types(_ kind: TestDatabaseKind) async throws {
        let isSQLite = kind == .sqlite
        try await ProducerHarness.run(
            kind,
            producer: Exhibits(),
            tables: { transaction in
                if !isSQLite { try transaction.run("CREATE TYPE color AS ENUM ('red', 'green')") }
                try transaction.run([
                    "CREATE TABLE exhibits (\(Self.columns(isSQLite, isReplica: false)))",
                    "CREATE TABLE copies (\(Self.columns(isSQLite, isReplica: true)))",
                ])
            }
        ) { harness in
            #expect(try await harness.schema.validate() == [])
            let values = Self.samples.map { SQL(raw: isSQLite ? $0.sqlite.value : $0.postgres.value) }
            try await harness.write("INSERT INTO exhibits VALUES (\(values.joined(separator: ", ")))")
            try await harness.relay()

            let message = try #require(try await harness.messages(in: "v3_exhibits").first)
            for sample in Self.samples {
                let name = sample.property.stringValue
                #expect(message.payload[name]?.text == sample.wire, "\(name) on the wire")
                #expect(message.payload["computed_\(name)"]?.text == sample.wire, "\(name) as a computed attribute")
            }

            try await ConsumerSchema(database: harness.database).migrate()
            var settings = ConsumerSettings()
            settings.clientID = "test"
            settings.maxRetries = 0
            #expect(try await ConsumerSchema(database: harness.database).validate(Copies(), settings: settings) == [])
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            try await ConsumerService(
                Copies(),
                database: harness.database,
                broker: harness.broker,
                settings: settings,
                mode: .untilCaughtUp,
                logger: logger
            )
            .run()
            let failures = try await harness.database.transaction(.snapshot) { transaction in
                try transaction.run("SELECT error_message FROM dionysus_failures").rows.map { try $0.text(0) }
            }
            #expect(failures == [])
            let original = try #require(try await Self.exhibits("SELECT * FROM exhibits", in: harness.database).first)
            let copies = try await Self.exhibits("SELECT *, synced_id AS id FROM copies", in: harness.database)
            #expect(copies == [original])

            // Bound one by one.
            let bound = try Self.samples.map { sample -> SQL in
                let value = try sample.bound(original)
                let type = sample.postgres.type
                return isSQLite || !type.hasSuffix("[]") ? value : "\(value)::\(raw: type)"
            }
            try await harness.write("INSERT INTO exhibits VALUES (\(bound.joined(separator: ", ")))")
            var expected = original
            expected.id = 2
            let again = try await Self.exhibits("SELECT * FROM exhibits WHERE id = 2", in: harness.database)
            #expect(again == [expected])
        }
    }
}

extension ModelDescription {
    /// The types of an exhibit's properties as they are written in Swift, by their coding keys.
    fileprivate func decodedTypes() throws -> [String: String] {
        // A row without columns gives a record of values that mean nothing.
        let row = Row(result: ResultSet(columns: ["nothing_at_all"], cells: [.null], affectedRows: 1), index: 0)
        let record = try decodePart(row)
        let keys = ["noColor": "no_color"]
        return Dictionary(
            uniqueKeysWithValues: Mirror(reflecting: record).children
                .compactMap { child in
                    child.label.map { (keys[$0] ?? $0, Self.written("\(type(of: child.value))")) }
                }
        )
    }

    private static func written(_ type: String) -> String {
        func inside(_ prefix: String) -> String? {
            type.hasPrefix(prefix + "<") ? written(String(type.dropFirst(prefix.count + 1).dropLast())) : nil
        }
        if let wrapped = inside("Optional") { return wrapped + "?" }
        if let element = inside("Array") { return "[\(element)]" }
        return type == "Dictionary<String, Int>" ? "[String: Int]" : type
    }
}

enum Color: String, Codable, DatabaseValueConvertible { case red, green }
enum Level: Int, Codable { case low = 1, high = 9 }
struct ExhibitPart: Codable, Equatable {
    var name: String
    var price: Decimal
    var isNew: Bool
    var tags: [Color]
    var day: CalendarDate
}

extension Color: AttributeValue {}
extension Level: AttributeValue {}
extension ExhibitPart: AttributeValue {}

struct Exhibit: Model, Equatable {
    var id: Int
    var int8: Int8
    var int16: Int16
    var int32: Int32
    var int64: Int64
    var uint: UInt
    var uint8: UInt8
    var uint16: UInt16
    var uint32: UInt32
    var uint64: UInt64
    var double: Double
    var float: Float
    var decimal: Decimal
    var exact: ExactDecimal
    var flag: Bool
    var text: String
    var uuid: UUID
    var url: URL
    var data: Data
    var date: Date
    var time: Timestamp
    var day: CalendarDate
    var color: Color
    var level: Level
    var nothing: Int?
    var noColor: Color?
    var numbers: [Int]
    var texts: [String?]
    var colors: [Color]
    var days: [CalendarDate]
    var gaps: [Int64?]
    var empty: [UUID]
    var counts: [String: Int]
    var part: ExhibitPart
    var document: JSON

    enum CodingKeys: String, CodingKey {
        case id, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, double, float, decimal, exact, flag,
            text
        case uuid, url, data, date, time, day, color, level, nothing, noColor = "no_color", numbers, texts, colors, days
        case gaps, empty, counts, part, document
    }
}

private struct ExhibitSerializer: ModelSerializer {
    var fields: Fields<Exhibit> {
        Attributes(
            .id,
            .int8,
            .int16,
            .int32,
            .int64,
            .uint,
            .uint8,
            .uint16,
            .uint32,
            .uint64,
            .double,
            .float,
            .decimal,
            .exact,
            .flag,
            .text,
            .uuid,
            .url,
            .data,
            .date,
            .time,
            .day,
            .color,
            .level,
            .nothing,
            .noColor,
            .numbers,
            .texts,
            .colors,
            .days,
            .gaps,
            .empty,
            .counts,
            .part,
            .document
        )
        Computed.numbers
        Computed.others
    }

    private enum Computed {
        static let numbers = Fields<Exhibit>
            .of {
                Attribute("computed_id") { record, _ in record.id }
                Attribute("computed_int8") { record, _ in record.int8 }
                Attribute("computed_int16") { record, _ in record.int16 }
                Attribute("computed_int32") { record, _ in record.int32 }
                Attribute("computed_int64") { record, _ in record.int64 }
                Attribute("computed_uint") { record, _ in record.uint }
                Attribute("computed_uint8") { record, _ in record.uint8 }
                Attribute("computed_uint16") { record, _ in record.uint16 }
                Attribute("computed_uint32") { record, _ in record.uint32 }
                Attribute("computed_uint64") { record, _ in record.uint64 }
                Attribute("computed_double") { record, _ in record.double }
                Attribute("computed_float") { record, _ in record.float }
                Attribute("computed_decimal") { record, _ in record.decimal }
                Attribute("computed_exact") { record, _ in record.exact }
                Attribute("computed_flag") { record, _ in record.flag }
                Attribute("computed_text") { record, _ in record.text }
                Attribute("computed_uuid") { record, _ in record.uuid }
                Attribute("computed_url") { record, _ in record.url }
            }
        static let others = Fields<Exhibit>
            .of {
                Attribute("computed_data") { record, _ in record.data }
                Attribute("computed_date") { record, _ in record.date }
                Attribute("computed_time") { record, _ in record.time }
                Attribute("computed_day") { record, _ in record.day }
                Attribute("computed_color") { record, _ in record.color }
                Attribute("computed_level") { record, _ in record.level }
                Attribute("computed_nothing") { record, _ in record.nothing }
                Attribute("computed_no_color") { record, _ in record.noColor }
                Attribute("computed_numbers") { record, _ in record.numbers }
                Attribute("computed_texts") { record, _ in record.texts }
                Attribute("computed_colors") { record, _ in record.colors }
                Attribute("computed_days") { record, _ in record.days }
                Attribute("computed_gaps") { record, _ in record.gaps }
                Attribute("computed_empty") { record, _ in record.empty }
                Attribute("computed_counts") { record, _ in record.counts }
                Attribute("computed_part") { record, _ in record.part }
                Attribute("computed_document") { record, _ in record.document }
            }
    }
}

extension Fields where Record == Exhibit {
    fileprivate static func of(@FieldsBuilder<Exhibit> _ fields: () -> Fields<Exhibit>) -> Fields<Exhibit> {
        fields()
    }
}

private struct Exhibits: Producer {
    var namespaces: [Namespace] {
        Namespace("v3", serializers: Serializers { ExhibitSerializer() }) {
            Topic("exhibits") { Publish(Exhibit.self) }
        }
    }
}

private struct Copies: Consumer {
    var namespaces: [ConsumerNamespace] {
        ConsumerNamespace("v3") { ConsumerTopic("exhibits") }
    }
    var models: Models { Persist("Exhibit", table: "copies") }
}
