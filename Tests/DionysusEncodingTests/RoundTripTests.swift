import Dionysus
import DionysusProducer
import DionysusSchemas
import TestSupport
import Testing

/// What is published in an encoding arrives in the replica's tables.
@Suite
struct RoundTripTests {
    /// An encoding with its name.
    struct Encoding: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let encoding: TopicEncoding
        var reading: TopicEncoding?

        init(_ name: String, _ encoding: TopicEncoding, reading: TopicEncoding? = nil) {
            testDescription = name
            self.encoding = encoding
            self.reading = reading
        }
    }

    static let encodings = [
        Encoding("envelopes", .envelope),
        Encoding("JSON", .record(.json)),
        Encoding("JSON, marked", .record(.json, deletions: .marked)),
        Encoding("JSON, keys with a field", .record(.json(key: .field("id")))),
        Encoding("JSON Schema", .record(.jsonSchema(key: .field("id")))),
        Encoding("JSON Schema without a registry", .record(.jsonSchema(framing: .bare))),
        Encoding("Avro", .record(.avro(key: .field("id")))),
        Encoding("Avro, plain keys", .record(.avro)),
        Encoding("Avro, message keys", .record(.avro(key: .message))),
        Encoding("Avro, no keys, marked", .record(.avro(key: .none), deletions: .marked)),
        Encoding(
            "Avro, single objects",
            .record(.avro(framing: .singleObject)),
            reading: .record(.avro(.text(schema), framing: .singleObject))
        ),
        Encoding("Avro, bare", .record(.avro(framing: .bare)), reading: .record(.avro(.text(schema), framing: .bare))),
        Encoding("Avro, containers", .record(.avro(framing: .container))),
        Encoding("Avro, found out", .record(.avro(key: .field("id"))), reading: .auto),
        Encoding("JSON Schema, found out", .record(.jsonSchema(key: .field("id"))), reading: .auto),
        Encoding("JSON, found out", .record(.json), reading: .auto),
        Encoding("envelopes, found out", .envelope, reading: .auto),
        Encoding("envelopes in JSON, keys with a field", .envelope(.json(key: .field("id")))),
        Encoding("envelopes of a JSON Schema", .envelope(.jsonSchema(key: .field("id")))),
        Encoding("envelopes of a JSON Schema without a registry", .envelope(.jsonSchema(framing: .bare))),
        Encoding("envelopes of a JSON Schema, found out", .envelope(.jsonSchema()), reading: .auto),
        Encoding("envelopes in Avro", .envelope(.avro(key: .field("id")))),
        Encoding("envelopes in Avro, plain keys", .envelope(.avro)),
        Encoding("envelopes in Avro, message keys", .envelope(.avro(key: .message))),
        Encoding("envelopes in Avro, no keys", .envelope(.avro(key: .none))),
        Encoding("envelopes in Avro, keys of a schema", .envelope(.avro(key: .schema(.text(keySchema))))),
        Encoding("envelopes in Avro, found out", .envelope(.avro(key: .field("id"))), reading: .auto),
        Encoding("envelopes in Avro, containers", .envelope(.avro(framing: .container))),
        Encoding(
            "envelopes in Avro, single objects",
            .envelope(.avro(framing: .singleObject)),
            reading: .envelope(.avro(.text(FeedEnvelope.schema), framing: .singleObject))
        ),
        Encoding(
            "envelopes in Avro, bare",
            .envelope(.avro(framing: .bare)),
            reading: .envelope(.avro(.text(FeedEnvelope.schema), framing: .bare))
        ),
        Encoding("envelopes in Avro in CloudEvents", .envelope(.avro).cloudEvents()),
        Encoding("envelopes in Avro in structured CloudEvents", .envelope(.avro).cloudEvents(.structured)),
        Encoding(
            "envelopes in Avro in CloudEvents, found out",
            .envelope(.avro).cloudEvents(.structured),
            reading: .auto
        ),
        Encoding("envelopes in Avro, for tests", .envelope(.avro).validationOnly),
        Encoding("envelopes in CloudEvents", .envelope.cloudEvents()),
        Encoding("envelopes in structured CloudEvents", .envelope.cloudEvents(.structured)),
        Encoding("JSON in CloudEvents", .record(.json).cloudEvents()),
        Encoding("JSON in structured CloudEvents", .record(.json).cloudEvents(.structured)),
        Encoding(
            "JSON, marked, in structured CloudEvents",
            .record(.json, deletions: .marked).cloudEvents(.structured)
        ),
        Encoding(
            "JSON Schema in structured CloudEvents",
            .record(.jsonSchema(key: .field("id"))).cloudEvents(.structured)
        ),
        Encoding("Avro in CloudEvents", .record(.avro(key: .field("id"))).cloudEvents()),
        Encoding("Avro in structured CloudEvents", .record(.avro(key: .field("id"))).cloudEvents(.structured)),
        Encoding("CloudEvents, found out", .envelope.cloudEvents(.structured), reading: .auto),
        Encoding("Avro in CloudEvents, found out", .record(.avro(key: .field("id"))).cloudEvents(), reading: .auto),
        Encoding(
            "CloudEvents, read in the other mode",
            .record(.json).cloudEvents(.structured),
            reading: .record(.json).cloudEvents()
        ),
        Encoding("no CloudEvents where they are expected", .envelope, reading: .envelope.cloudEvents()),
    ]

    private static let keySchema =
        #"{"type":"record","name":"BookingKey","fields":[{"name":"id","type":"string"}]}"#

    /// What is derived from the declaration, as another team would have it in a file.
    static let schema = """
        {"type": "record", "name": "Booking", "namespace": "feed", "fields": [
          {"name": "id", "type": "long"},
          {"name": "start_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
          {"name": "final_price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 2}},
          {"name": "canceled_at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}], "default": null},
          {"name": "created_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
          {"name": "updated_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
          {"name": "rental_id", "type": ["null", "long", "string"], "default": null},
          {"name": "bookings_fee_ids", "type": {"type": "array", "items": "long"}},
          {"name": "bookings_fees", "type": {"type": "array", "items":
            {"type": "record", "name": "BookingsFee", "namespace": "feed.Booking", "fields": [
              {"name": "id", "type": "long"}, {"name": "name", "type": "string"},
              {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 2}},
              {"name": "created_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
              {"name": "updated_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
              {"name": "booking_id", "type": ["null", "long"], "default": null}]}}}]}
        """

    @Test(
        "a record with its parts arrives, changes, loses a part and ends",
        arguments: encodings,
        TestDatabaseKind.available
    )
    func arrives(_ encoding: Encoding, _ kind: TestDatabaseKind) async throws {
        try await FeedTrial.run(kind, encoding.encoding, reading: encoding.reading) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            try await trial.expectPublished()
            try await trial.consume()
            try await trial.expectCopies([
                "7 1 550.50 2026-12-24T15:00:00Z", "1 7 cleaning 40.50", "2 7 pets ☃ 10.00",
            ])

            try await trial.write(
                "UPDATE bookings SET base_price = 600, start_at = '2027-01-01T12:00:00.000000Z' WHERE id = 7",
                "DELETE FROM bookings_fees WHERE id = 1"
            )
            try await trial.relay()
            try await trial.expectPublished()
            try await trial.consume()
            try await trial.expectCopies(["7 1 610.00 2027-01-01T12:00:00Z", "2 7 pets ☃ 10.00"])

            try await trial.write("DELETE FROM bookings_fees", "DELETE FROM bookings")
            try await trial.relay()
            try await trial.expectPublished()
            try await trial.consume()
            try await trial.expectCopies([])
            try await trial.expectFailures(0)
        }
    }
}
