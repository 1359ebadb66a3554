import Dionysus
import DionysusProducer
import DionysusSchemas
import Foundation
import Testing

/// The contract that a declaration says.
@Suite struct ContractDerivationTests {
    @Test func `every type of attribute has its type in the contract`() throws {
        let model = try Self.model("Piece", in: "museum_exhibits")
        let expected: [String: ContractValue] = [
            "code": ContractValue(.uuid), "count": ContractValue(.integer),
            "small": ContractValue(.integer, isNullable: true),
            "ratio": ContractValue(.double), "price": ContractValue(.decimal, scale: 2),
            "exact": ContractValue(.decimal, isNullable: true), "flag": ContractValue(.boolean),
            "url": ContractValue(.string), "data": ContractValue(.bytes), "day": ContractValue(.date),
            "at": ContractValue(.timestamp), "date": ContractValue(.timestamp),
            "color": ContractValue(.string, values: ["red", "green"]),
            "level": ContractValue(.integer, isNullable: true, values: [1, 9]),
            "tags": ContractValue(.array, items: ContractValue(.string)),
            "gaps": ContractValue(.array, isNullable: true, items: ContractValue(.integer, isNullable: true)),
            "part": ContractValue(.json), "more": ContractValue(.json), "free": ContractValue(.json),
            "label": ContractValue(.string, isNullable: true),
            "shades": ContractValue(.array, items: ContractValue(.string, values: ["red", "green"])),
            "total": ContractValue(.decimal, scale: 3),
        ]
        #expect(model.key.name == "code")
        #expect(model.key.type == .uuid)
        for attribute in model.attributes { #expect(attribute.value == expected[attribute.name], "\(attribute.name)") }
        #expect(Set(model.attributes.map(\.name)) == Set(expected.keys))
        #expect(model.attributes.first?.name == "code")
    }

    @Test func `links, sideloads and partition keys are as they are declared`() throws {
        let contract = try Self.contract()
        #expect(contract.topics.map(\.name) == ["museum_exhibits", "museum_rooms"])
        let rooms = try #require(contract.topics.last)
        // The topic's models disagree, so that each says its own.
        #expect(rooms.partitionKey == .messageKey)
        #expect(
            rooms.models.map(\.partitionKey)
                == [.attribute("floor"), .computed(from: ["code"])]
        )
        let room = try #require(rooms.models.last)
        #expect(room.name == "Room")
        #expect(
            room.links == [
                Contract.Link(name: "exhibits", isToMany: true, models: ["Piece"]),
                Contract.Link(name: "owner", isToMany: false, models: ["Piece", "Hall"]),
                Contract.Link(name: "next", isToMany: false, models: []),
            ]
        )
        #expect(room.parts.map(\.name) == ["Piece"])
        #expect(room.parts.first?.attributes.isEmpty == false)
    }

    @Test func `where a serializer is chosen by a column, what only some records have is nullable`() throws {
        let hall = try Self.model("Hall", in: "museum_rooms")
        #expect(
            hall.attributes == [
                Contract.Attribute(name: "code", value: ContractValue(.string)),
                Contract.Attribute(name: "kind", value: ContractValue(.string)),
                Contract.Attribute(name: "floor", value: ContractValue(.integer, isNullable: true)),
            ]
        )
    }

    @Test func `it is the same on every run`() throws {
        let first = try Self.contract().document.text
        for _ in 0..<20 { #expect(try Self.contract().document.text == first) }
    }

    private static func contract() throws -> Contract { try Registry(Museum()).contract }

    private static func model(_ name: String, in topic: String) throws -> Contract.Model {
        try #require(try contract().topics.first { $0.name == topic }?.models.first { $0.name == name })
    }
}

private enum Hue: String, Codable, CaseIterable, AttributeValue { case red, green }
private enum Grade: Int, Codable, CaseIterable { case low = 1, high = 9 }
private struct Plaque: Codable, Sendable { var name = "" }

private struct Piece: Model {
    var code: UUID
    var count: Int
    var small: Int16?
    var ratio: Float
    var price: Decimal
    var exact: ExactDecimal?
    var flag: Bool
    var url: URL
    var data: Data
    var day: CalendarDate
    var at: Timestamp
    var date: Date
    var color: Hue
    var level: Grade?
    var tags: [String]
    var gaps: [Int?]?
    var part: Plaque
    var more: [String: Int]
    var free: JSON
    var roomCode: String?

    enum CodingKeys: String, CodingKey {
        case code, count, small, ratio, price, exact, flag, url, data, day, at, date, color, level, tags, gaps, part,
            more
        case free
        case roomCode = "room_code"
    }
    static let primaryKey = "code"
}

private struct PieceSerializer: ModelSerializer {
    var fields: Fields<Piece> {
        Attributes(.code, .count, .small, .ratio)
        Attribute(.price, scale: 2)
        Attributes(.exact, .flag, .url, .data, .day, .at, .date, .color, .level, .tags, .gaps, .part, .more, .free)
        Attribute("label") { exhibit, _ -> String? in exhibit.tags.first }
        Attribute("shades") { exhibit, _ in [exhibit.color] }
        Attribute("total", scale: 3) { exhibit, _ in ExactDecimal(exhibit.count) }
    }
}

private struct Room: Model {
    var code: String
    var ownerCode: String?
    var ownerType: String?

    enum CodingKeys: String, CodingKey {
        case code
        case ownerCode = "owner_code"
        case ownerType = "owner_type"
    }
    static let primaryKey = "code"
    static let exhibits = hasMany(Piece.self, by: .roomCode)
    static let owner = belongsTo(anyOf: Piece.self, Hall.self, id: .ownerCode, type: .ownerType)
}

private struct RoomSerializer: ModelSerializer {
    var fields: Fields<Room> {
        Attributes(.code)
        HasMany("exhibits", Room.exhibits)
        HasOne("owner", Room.owner)
        HasOne("next") { _, _ -> String? in nil }
    }
}

private struct Hall: Model {
    var code: String
    var kind: String
    var floor: Int

    enum CodingKeys: String, CodingKey { case code, kind, floor }
    static let primaryKey = "code"
}

private struct HallSerializer: ModelSerializer {
    var fields: Fields<Hall> { Attributes(.code, .kind) }
}

private struct TowerSerializer: ModelSerializer {
    var fields: Fields<Hall> { Attributes(.code, .kind, .floor) }
}

private struct Museum: Producer {
    var namespaces: [Namespace] {
        Namespace(
            "museum",
            serializers: Serializers {
                PieceSerializer()
                RoomSerializer()
                ChosenSerializer(by: Hall.CodingKeys.kind, ["tower": TowerSerializer()], otherwise: HallSerializer())
            }
        ) {
            Topic("rooms", partitionKey: .computed(reading: "code") { _ in nil }) {
                Publish(Room.self, with: Room.exhibits)
                Publish(Hall.self).partitioned(by: .floor)
            }
            Topic("exhibits") { Publish(Piece.self) }
        }
    }
}
