import Dionysus
import DionysusProducer
import TestSupport
import Testing

/// What a declaration can be asked, and how partition keys are chosen.
@Suite struct DeclarationTests {
    let registry = Registry(PressSync())

    @Test("namespaces stand side by side, and a model may be published to many topics")
    func topics() {
        #expect(registry.topics == ["v3_posts", "v3_comments", "v4_posts", "v4_feed"])
        #expect(registry.topics(publishing: "Post") == ["v3_posts", "v4_posts", "v4_feed"])
        #expect(registry.topics(publishing: "Photo") == ["v4_feed"])
        #expect(registry.topics(publishing: "Tag") == [])
    }

    @Test("the registry tells whether a topic publishes a model for its own sake")
    func publishes() {
        #expect(registry.publishes("Comment", in: "v3_comments"))
        #expect(!registry.publishes("Comment", in: "v3_posts"))
        #expect(!registry.publishes("Post", in: "v5_posts"))
    }

    @Test("the parents of a dependency are listed for one topic and for all, also of dependencies of dependencies")
    func parents() {
        #expect(registry.parents(ofDependency: "Reaction") == ["Post", "Comment"])
        #expect(registry.parents(ofDependency: "Reaction", in: "v3_posts") == ["Post"])
        #expect(registry.parents(ofDependency: "Tag", in: "v4_feed") == [])
        #expect(registry.parents(ofDependency: "Post") == ["Comment"])
    }

    @Test("the whole mapping is topic, model, dependencies")
    func mapping() {
        #expect(
            registry.dependencies == [
                "v3_posts": ["Post": ["Cover", "Tag", "Comment", "Reaction"]],
                "v3_comments": ["Comment": ["Post", "Photo", "Reaction"]],
                "v4_posts": ["Post": ["Tag"]],
                "v4_feed": ["Post": [], "Photo": []],
            ]
        )
    }

    @Test(
        "a partition key is an attribute, the configured default, none, or what the application computes",
        arguments: TestDatabaseKind.available
    )
    func partitionKeys(_ kind: TestDatabaseKind) async throws {
        struct Keys: Producer {
            var namespaces: [Namespace] {
                Namespace("v3", serializers: Serializers { Whole(Post.self) }) {
                    Topic("configured") { Publish(Post.self) }
                    Topic("attribute", partitionKey: "region") { Publish(Post.self) }
                    Topic("none", partitionKey: .messageKey) { Publish(Post.self) }
                    Topic("lacking", partitionKey: "nowhere") { Publish(Post.self) }
                    Topic("own", partitionKey: "region") { Publish(Post.self).partitioned(by: .id) }
                    Topic("own_none", partitionKey: "region") { Publish(Post.self).partitionedByMessageKey() }
                    Topic("computed", partitionKey: "region") {
                        Publish(Post.self).partitioned { "\($0.authorID)-\($0.title)" }
                    }
                }
            }
        }
        let expected = [
            "configured": "7", "attribute": "eu", "none": "Post:1", "lacking": "Post:1", "own": "1",
            "own_none": "Post:1", "computed": "7-One",
        ]
        var settings = ProducerSettings()
        settings.defaultPartitionKey = "author_id"
        try await PressHarness.run(kind, settings: settings, producer: Keys()) { harness in
            try await harness.write("INSERT INTO posts (id, author_id, region, title) VALUES (1, 7, 'eu', 'One')")
            try await harness.relay()
            for (topic, key) in expected {
                let message = try #require(try await harness.messages(in: "v3_\(topic)").first)
                let partition = Partitioner.crc32.partition(of: Array(key.utf8), partitions: 4)
                #expect(message.partition == partition, "\(topic)")
            }
        }
    }

    @Test(
        "a computed partition key follows the record as it is published",
        arguments: TestDatabaseKind.available
    )
    func computedKeys(_ kind: TestDatabaseKind) async throws {
        try await PressHarness.run(kind) { harness in
            try await harness.write(
                "INSERT INTO posts (id, author_id, region, title) VALUES (1, 1, 'eu', 'a'), (2, 1, NULL, 'b')"
            )
            try await harness.relay()
            try await harness.write("UPDATE posts SET region = 'us' WHERE id = 1")
            try await harness.relay()
            let messages = try await harness.messages(in: "v4_feed")
            #expect(
                Set(messages.map { "\($0.event) \($0.key) \($0.partition)" }) == [
                    "post_created Post:1 \(Self.partition("eu"))", "post_updated Post:1 \(Self.partition("us"))",
                    "post_created Post:2 \(Self.partition("Post:2"))",
                ]
            )
        }
    }

    @Test(
        "a deleted record's computed partition key and payload come from what its deletion kept",
        arguments: TestDatabaseKind.available
    )
    func deletedKeys(_ kind: TestDatabaseKind) async throws {
        try await PressHarness.run(kind) { harness in
            let columns = "resource_class, resource_id, event_name, topic, changeset, created_at, updated_at"
            let now = "'2026-01-01', '2026-01-01'"
            try await harness.write(
                """
                INSERT INTO dionysus_outboxes (\(raw: columns)) VALUES
                ('Post', '1', 'post_destroyed', 'v4_feed', '{"region": ["us", null], "author_id": [1, null]}', \(raw: now)),
                ('Post', '2', 'post_destroyed', 'v4_feed', NULL, \(raw: now))
                """
            )
            try await harness.relay()
            let messages = try await harness.messages(in: "v4_feed").sorted { $0.key < $1.key }
            #expect(messages.map(\.partition) == [Self.partition("us"), Self.partition("Post:2")])
            #expect(messages.first?.payload == ["id": 1, "region": "us", "links": [:]])
            #expect(messages.last?.payload == ["id": 2, "links": [:]])
        }
    }

    @Test(
        "changes of a computed partition key share a lane, unless the order of each record is enough",
        arguments: TestDatabaseKind.available
    )
    func computedLanes(_ kind: TestDatabaseKind) async throws {
        struct Lanes: Producer {
            var namespaces: [Namespace] {
                Namespace("v3", serializers: Serializers { Whole(Post.self) }) {
                    Topic("ordered") { Publish(Post.self).partitioned(reading: .region) { $0.region } }
                    Topic("spread") { Publish(Post.self).partitioned(orderedBy: .record) { $0.region } }
                }
            }
        }
        try await PressHarness.run(kind, producer: Lanes()) { harness in
            try await harness.write("INSERT INTO posts (id, author_id, region, title) VALUES (1, 1, 'eu', 'a')")
            try await harness.write("DELETE FROM posts")
            let pending = try await harness.pending()
            #expect(
                Set(pending) == [
                    "post_created Post:1 v3_ordered v3_ordered", "post_created Post:1 v3_spread -",
                    "post_destroyed Post:1 v3_ordered v3_ordered", "post_destroyed Post:1 v3_spread -",
                ]
            )
            try await harness.relay()
            let message = try #require(try await harness.messages(in: "v3_ordered").first)
            #expect(message.event == "post_destroyed" && message.partition == Self.partition("eu"))
            #expect(message.payload["region"] == "eu" && message.payload["title"] == nil)
        }
    }

    static func partition(_ key: String) -> Int32 { Partitioner.crc32.partition(of: Array(key.utf8), partitions: 4) }
}
