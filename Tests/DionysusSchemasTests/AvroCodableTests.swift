import Dionysus
import DionysusSchemas
import Foundation
import Testing

@Suite struct AvroCodableTests {
    enum Colour: String, Codable {
        case red, green
    }

    struct Line: Codable, Equatable {
        var price: ExactDecimal
        var note: String?
    }

    struct Order: Codable, Equatable {
        var id: Int
        var placedAt: Timestamp
        var date: Date
        var day: CalendarDate
        var token: UUID
        var data: Data
        var colour: Colour?
        var weight: Double
        var open: Bool
        var lines: [Line]
        var counts: [String: Int32]

        enum CodingKeys: String, CodingKey {
            case id, date, day, token, data, colour, weight, open, lines, counts
            case placedAt = "placed_at"
        }
    }

    static let schema = """
        {"type": "record", "name": "Order", "fields": [
          {"name": "placed_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
          {"name": "date", "type": {"type": "long", "logicalType": "timestamp-millis"}},
          {"name": "id", "type": "long"}, {"name": "day", "type": {"type": "int", "logicalType": "date"}},
          {"name": "token", "type": {"type": "string", "logicalType": "uuid"}}, {"name": "data", "type": "bytes"},
          {"name": "colour", "type": ["null", {"type": "enum", "name": "Colour", "symbols": ["red", "green"]}]},
          {"name": "weight", "type": "double"}, {"name": "open", "type": "boolean"},
          {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
            {"name": "note", "type": ["null", "string"], "default": null}]}}},
          {"name": "counts", "type": {"type": "map", "values": "int"}}]}
        """

    func order() throws -> Order {
        Order(
            id: 7,
            placedAt: Timestamp(microseconds: 1_702_044_156_280_123),
            date: Date(timeIntervalSince1970: 1_702_044_156.28),
            day: try #require(CalendarDate("2024-02-29")),
            token: try #require(UUID(uuidString: "0189dcd5-5311-7d40-8db0-9496a2eef37b")),
            data: Data([0, 255]),
            colour: .green,
            weight: 0.1,
            open: true,
            lines: [Line(price: ExactDecimal(unscaled: -150, scale: 2), note: "n"), Line(price: 3, note: nil)],
            counts: ["a": 1]
        )
    }

    @Test func aTypeIsWrittenAndRead() throws {
        let schema = try AvroSchema(parsing: Self.schema)
        let order = try order()
        let bytes = try AvroEncoder(schema: schema).encode(order)
        #expect(try AvroDecoder(Order.self, from: schema).decode(bytes) == order)
        let value = try schema.decode(bytes)
        #expect(value["data"] == .bytes([0, 255]))
        #expect(value["placed_at"] == .long(1_702_044_156_280_123))
        #expect(value["date"] == .long(1_702_044_156_280))
    }

    @Test func anotherVersionsDataIsRead() throws {
        struct Part: Codable, Equatable {
            var id: Double
            var added: String
        }
        let writer = try AvroSchema(parsing: Self.schema)
        let reader = try AvroSchema(
            parsing: """
                {"type": "record", "name": "Order", "fields": [{"name": "id", "type": "double"},
                 {"name": "added", "type": "string", "default": "new"}]}
                """
        )
        let bytes = try AvroEncoder(schema: writer).encode(order())
        #expect(try AvroDecoder(Part.self, from: writer, to: reader).decode(bytes) == Part(id: 7, added: "new"))
    }

    @Test func whatDoesNotFitIsSaidWithItsPath() throws {
        let schema = try AvroSchema(parsing: Self.schema)
        var wrong = try order()
        wrong.lines[1].price = ExactDecimal(unscaled: 1, scale: 3)
        let error = try #require(throws: DionysusError.self) { try AvroEncoder(schema: schema).encode(wrong) }
        #expect(error.description.contains("at lines[1].price: the number has more than the 2 digits"))
        struct Other: Codable {
            var id: String
        }
        let bytes = try AvroEncoder(schema: schema).encode(order())
        let mismatch = try #require(throws: DionysusError.self) {
            try AvroDecoder(Other.self, from: schema).decode(bytes)
        }
        #expect(mismatch.code == .typeMismatch)
        #expect(mismatch.description.contains("id"))
    }

    @Test func aPropertyCanBeTheNumberOrTheTextOfWhatItMeans() throws {
        struct Numbers: Codable, Equatable {
            var at: Int64
            var day: String
            var price: String
            var period: [String: Int]
            var share: Double
        }
        let schema = try AvroSchema(
            parsing: """
                {"type": "record", "name": "N", "fields": [
                  {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
                  {"name": "day", "type": {"type": "int", "logicalType": "date"}},
                  {"name": "price", "type": {"type": "fixed", "name": "P", "size": 4, "logicalType": "decimal", "precision": 8, "scale": 2}},
                  {"name": "period", "type": {"type": "fixed", "name": "D", "size": 12, "logicalType": "duration"}},
                  {"name": "share", "type": "float"}]}
                """
        )
        let numbers = Numbers(
            at: 5,
            day: "2024-02-29",
            price: "-1.50",
            period: ["months": 1, "days": 2, "milliseconds": 3],
            share: .infinity
        )
        let bytes = try AvroEncoder(schema: schema).encode(numbers)
        #expect(try AvroDecoder(Numbers.self, from: schema).decode(bytes) == numbers)
        struct Narrow: Codable {
            var at: Int8
        }
        let other = try schema.encode(coercing: [
            "at": 500, "day": 0, "price": 0, "share": 0, "period": ["months": 0, "days": 0, "milliseconds": 0],
        ])
        let error = try #require(throws: DionysusError.self) {
            try AvroDecoder(Narrow.self, from: schema).decode(other)
        }
        #expect(error.description == "N.at holds a number that is out of the range of Int8")
    }
}
