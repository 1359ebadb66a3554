import Dionysus
import DionysusProducer
import TestSupport
import Testing

@testable import Rentals

/// The message that a record would give now.
@Suite struct MessagePreviewTests {
    @Test(
        "a preview is what the relay sends next, whatever the serializer, the parts and the partition key are",
        arguments: TestDatabaseKind.available
    )
    func sameAsRelay(_ kind: TestDatabaseKind) async throws {
        try await PressHarness.run(kind) { harness in
            try await harness.writePress()
            try await harness.write(
                "INSERT INTO covers (id, post_id, url) VALUES (1, 1, 'c1')",
                "INSERT INTO comments (id, subject_id, subject_type, body) VALUES (1, 1, 'Post', 'nice')",
                "UPDATE posts SET title = 'New' WHERE id = 1",
                "UPDATE photos SET url = 'p2' WHERE id = 1",
                "UPDATE comments SET body = 'nicer' WHERE id = 1"
            )
            let places = [
                ("v3_posts", "Post"), ("v3_comments", "Comment"), ("v4_posts", "Post"), ("v4_feed", "Post"),
                ("v4_feed", "Photo"),
            ]
            var previews: [(topic: String, preview: MessagePreview)] = []
            for (topic, model) in places {
                let preview = try await harness.preview(model, "1", topic)
                previews.append((topic, try #require(preview)))
            }
            try await harness.relay()
            for (topic, preview) in previews {
                let sent = try #require(try await harness.messages(in: topic).last { $0.key == preview.key })
                #expect(try JSON(parsing: preview.value)["message"]?.firstData == sent.payload)
                let leading = Array((preview.partitionKey ?? preview.key).utf8)
                #expect(Partitioner.crc32.partition(of: leading, partitions: 4) == sent.partition)
                #expect(preview.topics == [topic])
                #expect(Set(preview.headers.map(\.name)) == Set(sent.headers.keys))
            }
            #expect(previews.map(\.preview.partitionKey) == [nil, nil, "1", "eu", nil])
        }
    }

    @Test("a preview writes nothing", arguments: TestDatabaseKind.available)
    func writesNothing(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            try await harness.write(CaptureTests.account)
            try await harness.relay()
            try await harness.settle()
            let preview = try await harness.preview("Account", "1", "v3_accounts")
            #expect(preview?.topics == ["v3_accounts", "v3_accounts_genesis"])
            #expect(preview?.headers.map(\.value) == [nil, nil])
            #expect(try await harness.pending().isEmpty)
            #expect(try await harness.messages(in: "v3_accounts").count == 1)
            let alone = try await harness.preview("Account", "1", "v3_accounts_genesis")
            #expect(alone?.topics == ["v3_accounts_genesis"])
        }
    }

    @Test(
        "a record that is gone has none, and a key is read as the database has it",
        arguments: TestDatabaseKind.available
    )
    func keys(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(kind) { harness in
            #expect(try await harness.preview("Account", "1", "v3_accounts") == nil)
            try await harness.write(CaptureTests.account)
            #expect(try await harness.preview("Account", "01", "v3_accounts")?.key == "Account:1")
            try await harness.write("DELETE FROM accounts")
            #expect(try await harness.preview("Account", "1", "v3_accounts") == nil)
            for (model, id, topic, code) in [
                ("Account", "x", "v3_accounts", .malformed), ("Ghost", "1", "v3_accounts", .notFound),
                ("Account", "1", "v3_ghosts", .notFound), ("BookingsFee", "1", "v3_bookings", .notFound),
            ] as [(String, String, String, DionysusError.Code)] {
                await #expect {
                    _ = try await harness.preview(model, id, topic)
                } throws: { error in
                    (error as? DionysusError)?.code == code
                }
            }
        }
    }

    @Test(
        "a serializer that fails is reported with the record, and without its values",
        arguments: TestDatabaseKind.available
    )
    func failing(_ kind: TestDatabaseKind) async throws {
        struct Secret: Error {}
        struct FailingSerializer: ModelSerializer {
            var fields: Fields<Account> {
                Attribute("broken") { (_: Account, _: Related<Account>) -> Int in throw Secret() }
            }
        }
        struct Failing: Producer {
            var namespaces: [Namespace] {
                Namespace("v3", serializers: Serializers { FailingSerializer() }) {
                    Topic("accounts") { Publish(Account.self) }
                }
            }
        }
        try await ProducerHarness.run(kind, producer: Failing()) { harness in
            try await harness.write(CaptureTests.account)
            await #expect {
                _ = try await harness.preview("Account", "1", "v3_accounts")
            } throws: { error in
                (error as? DionysusError)?.code == .application && "\(error)".contains("Account:1 can't be serialized")
            }
        }
    }
}

extension ProducerHarness {
    fileprivate func preview(_ model: String, _ id: String, _ topic: String) async throws -> MessagePreview? {
        try await MessagePreview.of(model, id: id, in: topic, registry, database: database, settings: settings)
    }
}

extension JSON {
    /// The first event's first payload.
    fileprivate var firstData: JSON? {
        guard case .array(let events) = self, case .array(let data)? = events.first?["data"] else { return nil }
        return data.first
    }
}
