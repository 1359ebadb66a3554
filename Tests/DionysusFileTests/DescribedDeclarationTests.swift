import Dionysus
import DionysusApplication
import DionysusFile
import DionysusProducer
import DionysusSchemas
import Foundation
import TestSupport
import Testing

/// A declaration in Swift publishes what the file does that is written of it.
struct DescribedDeclarationTests {
    struct Museum: Model {
        var id: Int
        var name: String
        enum CodingKeys: String, CodingKey { case id, name }
        static let halls = hasMany(Hall.self, by: .houseID)
        static let works = hasMany(through: halls, Hall.works)
    }

    struct Hall: Model {
        var id: Int
        var houseID: Int
        var size: Int32?
        enum CodingKeys: String, CodingKey {
            case id, size
            case houseID = "house_id"
        }
        static let museum = belongsTo(Museum.self, by: .houseID)
        static let works = hasMany(Work.self, by: .hallID)
    }

    struct Work: Model {
        static let tableName = "art_works"
        static let primaryKey = "number"
        static let softDeleteColumn = "sold_at"

        var number: Int
        var hallID: Int
        var title: String
        var price: ExactDecimal?
        var kind: Kind?
        var soldAt: Timestamp?
        var makerID: Int?
        var makerType: String?

        enum Kind: String, Codable, CaseIterable { case picture, sculpture }
        enum CodingKeys: String, CodingKey {
            case number, title, price, kind
            case hallID = "hall_id"
            case soldAt = "sold_at"
            case makerID = "maker_id"
            case makerType = "maker_type"
        }
        static let hall = belongsTo(Hall.self, by: .hallID)
        static let museum = hasOne(through: hall, Hall.museum)
        static let maker = belongsTo(anyOf: Artist.self, Museum.self, id: .makerID, type: .makerType)
    }

    struct Artist: Model {
        var id: Int
        var name: String
        enum CodingKeys: String, CodingKey { case id, name }
        static let works = hasMany(Work.self, by: .makerID, as: .makerType)
    }

    struct MuseumSerializer: ModelSerializer {
        var fields: Fields<Museum> {
            Attributes(.name, .id)
            Attribute(
                "size",
                sql: "select sum(h.size) from halls h where h.house_id = museum.id",
                Int.self,
                nullable: true
            )
            HasMany("halls", Museum.halls)
            HasMany("everything", Museum.works)
        }
    }

    struct HallSerializer: ModelSerializer {
        var fields: Fields<Hall> {
            Attributes(.id, .size)
            HasOne("house", Hall.museum)
            HasMany("works", Hall.works)
        }
    }

    struct WorkSerializer: ModelSerializer {
        var fields: Fields<Work> {
            Attributes(.number, .title)
            Attribute(.price, scale: 3)
            Attributes(.kind)
            Attribute(
                "house_name",
                sql: "select m.name from museums m join halls h on h.house_id = m.id where h.id = work.hall_id",
                String.self,
                via: Work.museum
            )
            HasOne("hall", Work.hall)
            HasOne("house", Work.museum)
            HasOne("maker", Work.maker)
        }
    }

    struct ArtistSerializer: ModelSerializer {
        var fields: Fields<Artist> {
            Attributes(.id, .name)
            HasMany("works", Artist.works)
        }
    }

    struct MuseumSync: Producer {
        let serializers = Serializers {
            MuseumSerializer()
            HallSerializer()
            WorkSerializer()
            ArtistSerializer()
        }

        var namespaces: [Namespace] {
            Namespace("v1", serializers: serializers) {
                Topic("museums", partitionKey: .messageKey, genesisReplica: true) {
                    Publish(Museum.self, with: Museum.halls.with(Hall.works), Museum.works)
                }
                .partitions(3).retention(.seconds(3_600)).wire(.dionysusRb)
                Topic("works", partitionKey: "hall_id") {
                    Publish(Work.self, with: Work.maker).observing(Museum.self, .name, through: Museum.works)
                    Publish(Artist.self).partitioned(by: .id)
                }
            }
            Namespace("v2", serializers: Serializers { Whole(Hall.self) }) {
                Topic("halls", encoding: .record(.json(key: .field("id")))) {
                    Publish(Hall.self).observing(Museum.self, .name, through: Museum.halls)
                }
            }
        }
    }

    @Test(arguments: TestDatabaseKind.available)
    func `every record has the same bytes, and the contract is the same`(_ kind: TestDatabaseKind) async throws {
        let text = FileText(MuseumSync(), NoConsumer(), name: "museum", settings: ApplicationSettings()).text
        // A file has no enumerations.
        let unsaid = text.split(separator: "\n").filter { $0.hasPrefix("#   ") }
        #expect(unsaid == ["#   Work: the values of the column kind, which its Swift type lists in the contract"])
        let file = try CompleteFile.read(text)
        #expect(file.declarationFaults == [])
        let settings = ProducerSettings()
        let (code, declared) = (
            Registry(MuseumSync(), settings: settings), Registry(try #require(file.producer), settings: settings)
        )
        let values = /,"values":\[[^\]]*\]|"values":\[[^\]]*\],/
        let contracts = try [declared, code].map { try $0.contract.document.text.replacing(values, with: "") }
        #expect(contracts[0] == contracts[1])
        try await withTemporaryDatabase(kind) { database in
            try await database.transaction(.write) { transaction in
                for statement in Self.statements(kind) { try transaction.run("\(raw: statement)") }
            }
            try await OutboxSchema(database: database, registry: code).migrate(lanes: 4)
            // Triggers capture the same.
            #expect(try await OutboxSchema(database: database, registry: declared).validate() == [])
            for (topic, model, ids) in [
                ("v1_museums", "Museum", ["1", "2"]), ("v1_works", "Work", ["1", "2", "3"]),
                ("v1_works", "Artist", ["1"]),
                ("v2_halls", "Hall", ["1", "2", "3"]),
            ] {
                for id in ids {
                    let expected = try await message(of: model, id, topic, code, database)
                    #expect(expected != nil)
                    #expect(try await message(of: model, id, topic, declared, database) == expected)
                }
            }
        }
    }

    private func message(
        of model: String,
        _ id: String,
        _ topic: String,
        _ registry: Registry,
        _ database: any CapturingDatabase
    ) async throws -> String? {
        let preview = try await MessagePreview.of(
            model,
            id: id,
            in: topic,
            registry,
            database: database,
            settings: ProducerSettings()
        )
        return preview.map { String(decoding: $0.value, as: UTF8.self) }
    }

    private static func statements(_ kind: TestDatabaseKind) -> [String] {
        let (key, time) = kind == .postgres ? ("bigint", "timestamptz") : ("INTEGER", "TEXT")
        return [
            "CREATE TABLE museums (id \(key) PRIMARY KEY, name text NOT NULL)",
            "CREATE TABLE halls (id \(key) PRIMARY KEY, house_id bigint NOT NULL REFERENCES museums (id), size integer)",
            "CREATE TABLE artists (id \(key) PRIMARY KEY, name text NOT NULL)",
            "CREATE TABLE art_works (number \(key) PRIMARY KEY, hall_id bigint NOT NULL REFERENCES halls (id), "
                + "title text NOT NULL, price numeric(10,2), kind text, sold_at \(time), maker_id bigint, maker_type text)",
            "INSERT INTO museums VALUES (1, 'Ä & \"B\"'), (2, '')",
            "INSERT INTO halls VALUES (1, 1, 5), (2, 1, NULL), (3, 2, 7)",
            "INSERT INTO artists VALUES (1, 'Ann')",
            "INSERT INTO art_works VALUES (1, 1, 'One', 12.5, 'picture', NULL, 1, 'Artist'), "
                + "(2, 1, 'Two', NULL, 'sculpture', NULL, 2, 'Museum'), (3, 3, 'Three', 0, NULL, '2026-01-01T00:00:00Z', NULL, NULL)",
        ]
    }
}
