import Dionysus
import DionysusProtobuf
import DionysusRegistryTesting
import DionysusSchemas
import ProtobufExamples
import TestSupport
import Testing

/// Records and envelopes as compiled messages of Protobuf.
@Suite
struct ProtobufTests {
    private static func roundTrip(_ format: RecordFormat, _ kind: TestDatabaseKind, _ schemas: InMemorySchemaRegistry)
        async throws
    {
        try await FeedTrial.run(kind, .record(format), schemas: schemas) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            try await trial.expectPublished()
            try await trial.consume()
            // The message has a field for the id, and none for the rest.
            let found = try await trial.lines(trial.replica, "SELECT synced_id FROM bookings")
            #expect(found == ["7"])
            try await trial.write("DELETE FROM bookings_fees", "DELETE FROM bookings")
            try await trial.relay()
            try await trial.consume()
            try await trial.expectCopies([])
            try await trial.expectFailures(0)
        }
    }

    @Test("records with a schema of a registry arrive and end", arguments: TestDatabaseKind.available)
    func registry(_ kind: TestDatabaseKind) async throws {
        let schemas = InMemorySchemaRegistry()
        let client = try SchemaRegistryClient(schemas.settings, transport: schemas)
        let schema = try await ProtobufExamples.files.schema(of: Feed_V1_Rental.protoMessageName, in: client)
        let format = RecordFormat.format(try ProtobufFormat<JSON>.json(Feed_V1_Rental.self, schema), key: .field("id"))
        try await Self.roundTrip(format, kind, schemas)
        let subjects = try await client.subjects()
        #expect(subjects.contains("\(FeedTrial.topic)-value") && subjects.contains("\(FeedTrial.topic)-key"))
    }

    @Test("records without a registry arrive and end", arguments: TestDatabaseKind.available)
    func bare(_ kind: TestDatabaseKind) async throws {
        let format = RecordFormat.format(try ProtobufFormat<JSON>.json(Feed_V1_Rental.self), framing: .bare)
        try await Self.roundTrip(format, kind, InMemorySchemaRegistry())
    }

    @Test(
        "envelopes as a message with their members arrive, change and end",
        arguments: TestDatabaseKind.available,
        [RecordKeyFormat.plain, .message, .none]
    )
    func envelopes(_ kind: TestDatabaseKind, _ key: RecordKeyFormat) async throws {
        let format = try ProtobufFormat<JSON>.json(ProtobufExamples.AnyObject.self)
        let encoding = TopicEncoding.envelope(.format(format, key: key, framing: .bare))
        try await FeedTrial.run(kind, encoding) { trial in
            try await trial.writeBooking()
            try await trial.relay()
            try await trial.expectPublished()
            let last = try #require(try await trial.messages().last)
            #expect(throws: DionysusError.self) { try JSON(parsing: last.value ?? []) }
            try await trial.consume()
            try await trial.expectCopies([
                "7 1 550.50 2026-12-24T15:00:00Z", "1 7 cleaning 40.50", "2 7 pets ☃ 10.00",
            ])
            try await trial.write("DELETE FROM bookings_fees", "DELETE FROM bookings")
            try await trial.relay()
            try await trial.consume()
            try await trial.expectCopies([])
            try await trial.expectFailures(0)
        }
    }
}
