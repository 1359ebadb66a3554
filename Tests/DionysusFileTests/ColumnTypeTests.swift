import Dionysus
import DionysusApplication
import DionysusFile
import DionysusProducer
import DionysusSchemas
import Foundation
import TestSupport
import Testing

/// A model of a file is written as a model in Swift with properties of the same types is.
struct ColumnTypeTests {
    struct Exhibit: Model {
        var id: Int
        var flag: Bool?
        var number: Int?
        var ratio: Double?
        var price: ExactDecimal?
        var scaled: ExactDecimal?
        var label: String?
        var at: Timestamp?
        var day: CalendarDate?
        var code: UUID?
        var document: JSON?
        var data: Data?
        var tags: [String?]?
        var numbers: [Int?]?

        enum CodingKeys: String, CodingKey {
            case id, flag, number, ratio, price, scaled, label, at, day, code, document, data, tags, numbers
        }
    }

    struct ExhibitSerializer: ModelSerializer {
        var fields: Fields<Exhibit> {
            Attributes(.id, .flag, .number, .ratio, .price)
            Attribute(.scaled, scale: 2)
            Attributes(.label, .at, .day, .code, .document, .data, .tags, .numbers)
        }
    }

    struct Exhibition: Producer {
        let encoding: TopicEncoding

        var namespaces: [Namespace] {
            Namespace("v1", serializers: Serializers { ExhibitSerializer() }) {
                Topic("exhibits", encoding: encoding) { Publish(Exhibit.self) }
            }
        }
    }

    /// How the topic is written, in the file and in Swift.
    static let encodings: [(file: String, code: TopicEncoding)] = [
        ("envelope", .envelope), ("json", .record(.json)),
        ("{ record: avro, framing: bare }", .record(.avro(framing: .bare))),
    ]

    private static func file(_ encoding: String, _ columns: String) -> String {
        """
        dionysus: 1
        models:
          Exhibit: \(columns)
        namespaces:
          v1:
            serializers:
              Exhibit:
                attributes: [id, flag, number, ratio, price, scaled: { scale: 2 }, label, at, day, code, document, data, tags, numbers]
            topics:
              exhibits: { encoding: \(encoding), publish: [Exhibit] }
        """
    }

    private static let columns = """
        { columns: { id: integer, flag: bool?, number: integer?, ratio: double?, price: decimal?, scaled: decimal?, label: text?,
              at: timestamp?, day: date?, code: uuid?, document: json?, data: bytes?, tags: 'text[]?', numbers: 'integer[]?' } }
        """

    @Test(arguments: TestDatabaseKind.available, WireStyle.allCases)
    func `every type has the same bytes`(_ kind: TestDatabaseKind, _ wire: WireStyle) async throws {
        try await withTemporaryDatabase(kind) { database in
            try await database.transaction(.write) { transaction in
                for statement in Self.statements(kind) { try transaction.run("\(raw: statement)") }
            }
            var settings = ProducerSettings()
            settings.wire = wire
            for (name, encoding) in Self.encodings {
                let code = Registry(Exhibition(encoding: encoding), settings: settings)
                try await OutboxSchema(database: database, registry: code).migrate(lanes: 4)
                var files = [try CompleteFile.read(Self.file(name, Self.columns))]
                let exhibition = Exhibition(encoding: encoding)
                files.append(
                    try CompleteFile.read(
                        FileText(exhibition, NoConsumer(), name: "x", settings: ApplicationSettings()).text
                    )
                )
                // SQLite's columns don't tell what they hold.
                if kind == .postgres {
                    files.append(try await CompleteFile.read(Self.file(name, "{}")).completed(from: database))
                }
                for file in files {
                    let declared = Registry(try #require(file.producer), settings: settings)
                    for id in ["1", "2", "3"] {
                        let expected = try await value(id, code, database, settings)
                        #expect(expected != nil)
                        #expect(try await value(id, declared, database, settings) == expected, "\(name) \(id)")
                    }
                }
            }
        }
    }

    private func value(
        _ id: String,
        _ registry: Registry,
        _ database: any CapturingDatabase,
        _ settings: ProducerSettings
    ) async throws -> String? {
        let preview = try await MessagePreview.of(
            "Exhibit",
            id: id,
            in: "v1_exhibits",
            registry,
            database: database,
            settings: settings
        )
        return preview.map { String(decoding: $0.value, as: UTF8.self) }
    }

    private static func statements(_ kind: TestDatabaseKind) -> [String] {
        let isServer = kind == .postgres
        let types =
            isServer
            ? "flag boolean, number bigint, ratio double precision, price numeric(20,3), scaled numeric, label text, "
                + "at timestamptz, day date, code uuid, document jsonb, data bytea, tags text[], numbers integer[]"
            : "flag BOOLEAN, number INTEGER, ratio DOUBLE, price NUMERIC, scaled NUMERIC, label TEXT, at TEXT, day TEXT, "
                + "code TEXT, document JSON TEXT, data BLOB, tags JSON TEXT, numbers JSON TEXT"
        let (tags, numbers) =
            isServer
            ? ("'{a,NULL,\"b c\"}'", "'{1,NULL,-3}'") : ("'[\"a\",null,\"b c\"]'", "'[1,null,-3]'")
        let (none, bytes, empty) = isServer ? ("'{}'", "'\\x00ff10'", "'\\x'") : ("'[]'", "x'00ff10'", "x''")
        return [
            "CREATE TABLE exhibits (id \(isServer ? "bigint" : "INTEGER") PRIMARY KEY, \(types))",
            "INSERT INTO exhibits VALUES (1, true, 42, 0.1, 12.5, 1.005, 'Ä \"<&>\" ☃', '2026-05-01T10:00:00.123456Z', "
                + "'2026-02-28', '6F9619FF-8B86-D011-B42D-00CF4FC964FF', '{\"b\": [1, 2.50, null], \"a\": \"x\"}', \(bytes), "
                + "\(tags), \(numbers))",
            "INSERT INTO exhibits (id) VALUES (2)",
            "INSERT INTO exhibits VALUES (3, false, -9223372036854775807, 1e300, -0.001, 7, '1e3', '1969-12-31T23:59:59.9Z', "
                + "'1900-01-01', '00000000-0000-0000-0000-000000000000', '\"text\"', \(empty), \(none), \(none))",
        ]
    }
}
