import Dionysus
import DionysusSchemas

/// The envelopes of ``Feed``'s bookings in Avro.
enum FeedEnvelope {
    /// Envelopes in Avro, under a record that has the id.
    static let avro = TopicEncoding.envelope(.avro(key: .field("id")))

    private static let time = #"{"type":"long","logicalType":"timestamp-micros"}"#

    /// What is left of a booking that no longer exists.
    static let remains = """
        {"type":"record","name":"Booking_remains","namespace":"feed","fields":[
          {"name":"id","type":"long"},{"name":"start_at","type":["null",\(time)],"default":null},
          {"name":"final_price","type":["null",{"type":"bytes","logicalType":"decimal","precision":38,"scale":2}],"default":null},
          {"name":"canceled_at","type":["null",\(time)],"default":null},
          {"name":"created_at","type":["null",\(time)],"default":null},
          {"name":"updated_at","type":["null",\(time)],"default":null},
          {"name":"__deleted","type":"boolean","default":true}]}
        """

    /// What is derived from the declaration, as another team would have it in a file.
    static let schema = schema(of: [RoundTripTests.schema, remains])

    /// An envelope whose data are of these types.
    static func schema(of types: [String]) -> String {
        """
        {"type":"record","name":"Envelope","namespace":"feed","fields":[{"name":"message","type":{"type":"array","items":
          {"type":"record","name":"Event","namespace":"feed.Envelope","fields":[
            {"name":"event","type":"string"},{"name":"model_name","type":"string"},
            {"name":"data","type":{"type":"array","items":[\(types.joined(separator: ","))]}}]}}}]}
        """
    }

    /// A booking as the data of an event.
    static func booking(_ id: Int64, price: String, updatedAt day: Int = 1, fees: [JSON] = []) -> JSON {
        [
            "id": .integer(id), "start_at": "2026-05-01T12:00:00Z", "final_price": .string(price), "canceled_at": .null,
            "created_at": "2026-01-01T00:00:00Z", "updated_at": .string("2026-01-0\(day)T00:00:00Z"), "rental_id": 3,
            "bookings_fee_ids": .array(fees.map { $0["id"] ?? .null }), "bookings_fees": .array(fees),
        ]
    }

    /// A fee that comes along in a booking.
    static func fee(_ id: Int64, of booking: Int64, amount: String) -> JSON {
        [
            "id": .integer(id), "name": "cleaning", "amount": .string(amount), "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z", "booking_id": .integer(booking),
        ]
    }

    /// What is left of a booking.
    static func remains(of id: Int64) -> JSON { ["id": .integer(id), "__deleted": true] }

    /// An event of bookings.
    static func event(_ name: String, _ data: JSON...) -> JSON {
        ["event": .string(name), "model_name": "Booking", "data": .array(data)]
    }

    /// Writes an envelope in a registry's format.
    static func encode(_ events: [JSON], _ trial: FeedTrial, schema: String = schema) async throws -> [UInt8] {
        let client = try SchemaRegistryClient(trial.schemas.settings, transport: trial.schemas)
        let serde = SchemaSerde(AvroFormat.json(try AvroSchema(parsing: schema)), registry: client)
        return try await serde.serialize(["message": .array(events)], topic: FeedTrial.topic).bytes
    }
}

extension FeedTrial {
    /// What a message's value is, read by its schema in the registry.
    func decoded(_ message: ConsumedMessage) async throws -> TopicMessage {
        let client = try SchemaRegistryClient(schemas.settings, transport: schemas)
        let serde = SchemaSerde(AvroFormat.json(), registry: client)
        return TopicMessage(message, data: try await serde.deserialize(message.value ?? [], headers: message.headers))
    }
}

extension JSON {
    /// The object with another value of a member.
    func with(_ name: String, _ value: JSON) -> JSON {
        guard case .object(var object) = self else { return self }
        object[name] = value
        return .object(object)
    }
}
