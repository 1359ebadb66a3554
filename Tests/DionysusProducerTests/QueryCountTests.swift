import Dionysus
import DionysusProducer
import TestSupport
import Testing

/// What publishing costs in statements.
@Suite struct QueryCountTests {
    @Test(
        "publishing N records costs a number of queries that doesn't grow with N",
        arguments: TestDatabaseKind.available
    )
    func relay(_ kind: TestDatabaseKind) async throws {
        let few = try await statements(kind, records: 10)
        let many = try await statements(kind, records: 1_000)
        #expect(few.messages == 30 && many.messages == 3_000)
        #expect(few.statements > 0)
        #expect(few.statements == many.statements)
    }

    @Test(
        "responding with N records costs a number of queries that doesn't grow with N",
        arguments: TestDatabaseKind.available
    )
    func responder(_ kind: TestDatabaseKind) async throws {
        try await PressHarness.run(kind) { harness in
            try await harness.writePosts(1_000)
            let watched = WatchedDatabase(harness.database)
            let responder = try await Responder(harness.registry, database: watched, broker: harness.broker)
            var counts: [Int] = []
            for number in [10, 1_000] {
                let posts = (1...number).map { Post(id: $0, authorID: 1, title: "") }
                _ = watched.takeCountOfWork()
                try await responder.respond(in: "v3_posts", ResponderMessage([ResponderEvent(.updated, posts)]))
                counts.append(watched.takeCountOfWork())
            }
            await responder.close()
            #expect(counts[0] > 0)
            #expect(counts[0] == counts[1])
        }
    }

    /// Publishes posts with tags, comments and reactions, and comments on them, in one batch of one lane.
    private func statements(
        _ kind: TestDatabaseKind,
        records: Int
    ) async throws -> (statements: Int, messages: Int) {
        var settings = ProducerSettings()
        settings.lanes = 1
        settings.batchSize = 10_000
        // All of them at once, although nobody knows yet how large they are.
        settings.memoryBudget = MemoryBudget(megabytes: 16_384)
        var result = (statements: 0, messages: 0)
        try await PressHarness.run(kind, settings: settings, producer: CountedSync()) { harness in
            try await harness.writePosts(records)
            let watched = WatchedDatabase(harness.database)
            let counted = ProducerHarness(
                database: watched,
                broker: harness.broker,
                registry: harness.registry,
                settings: settings
            )
            try await counted.relay()
            result.statements = watched.takeCountOfWork()
            for topic in ["v3_posts", "v3_comments"] {
                result.messages += try await harness.messages(in: topic).count
            }
        }
        return result
    }
}

extension ProducerHarness {
    /// Writes posts with a cover, two tags, and two comments with a reaction each.
    fileprivate func writePosts(_ number: Int) async throws {
        try await write(
            "INSERT INTO sites (id, locale) VALUES (1, 'en')",
            "INSERT INTO authors (id, site_id, name) VALUES (1, 1, 'Ada')",
            "INSERT INTO photos (id, url) VALUES (1, 'p')",
            "INSERT INTO tags (id, label) VALUES ('\(raw: PressSchema.red)', 'red'), ('\(raw: PressSchema.blue)', 'blue')"
        )
        let posts: SQL =
            "(WITH RECURSIVE posts (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM posts WHERE id < \(number)) SELECT id FROM posts) p"
        try await write(
            "INSERT INTO posts (id, author_id, title) SELECT id, 1, 'title' FROM \(posts)",
            "INSERT INTO covers (id, post_id, url) SELECT id, id, 'c' FROM \(posts)",
            "INSERT INTO taggings (post_id, tag_id) SELECT p.id, tags.id FROM \(posts), tags",
            """
            INSERT INTO comments (id, subject_id, subject_type, body)
            SELECT id, id, 'Post', 'a' FROM \(posts) UNION ALL SELECT id + 100000, 1, 'Photo', 'b' FROM \(posts)
            """,
            "INSERT INTO reactions (comment_id, emoji) SELECT id, ':)' FROM comments"
        )
        try await settle()
        try await write("UPDATE posts SET region = 'eu'", "UPDATE comments SET body = 'c' WHERE id > 100000")
        try await write(
            """
            DELETE FROM dionysus_outboxes WHERE id NOT IN (
              SELECT min(id) FROM dionysus_outboxes GROUP BY topic, resource_class, resource_id
            )
            """
        )
    }
}

/// Everything that is loaded in its own way: has-one, through, polymorphic to-many and to-one, nested.
private struct CountedSync: Producer {
    var namespaces: [Namespace] {
        Namespace("v3", serializers: PressSync().third) {
            Topic("posts") {
                Publish(Post.self, with: Post.cover, Post.tags, Post.comments.with(Comment.reactions))
            }
            Topic("comments") { Publish(Comment.self, with: Comment.subject, Comment.reactions) }
        }
    }
}
