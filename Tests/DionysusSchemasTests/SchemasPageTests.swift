import Dionysus
import DionysusSchemas
import Testing

/// What `docs/schemas.md` shows.
@Suite struct SchemasPageTests {
    struct Rental: Codable, Equatable {
        var id: Int
        var name: String?
        var price: ExactDecimal
        var checkedInAt: Timestamp

        enum CodingKeys: String, CodingKey {
            case id, name, price, checkedInAt = "checked_in_at"
        }
    }

    @Test func theExamplesOfThePageHold() throws {
        let schema = try AvroSchema(
            parsing: """
                {"type": "record", "name": "Rental", "namespace": "com.example", "fields": [
                  {"name": "id", "type": "long"},
                  {"name": "name", "type": ["null", "string"], "default": null},
                  {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
                  {"name": "checked_in_at", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}
                """
        )
        let rental = Rental(
            id: 1,
            name: nil,
            price: ExactDecimal(unscaled: 15_000, scale: 2),
            checkedInAt: Timestamp(microseconds: 1_702_044_156_280_000)
        )
        let bytes = try AvroEncoder(schema: schema).encode(rental)
        #expect(try AvroDecoder(Rental.self, from: schema).decode(bytes) == rental)
        var writer = try AvroContainerWriter(schema: schema, codec: .deflate)
        try writer.append(encoded: bytes)
        let file = try writer.finish()
        #expect(
            try AvroContainer(parsing: file).documents(plain: true) == [
                ["id": 1, "name": .null, "price": "150.00", "checked_in_at": "2023-12-08T14:02:36.280000Z"]
            ]
        )
    }
}
