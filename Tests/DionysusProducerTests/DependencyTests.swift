import Dionysus
import DionysusProducer
import TestSupport
import Testing

/// Changes to what is published with a record publish the record.
@Suite struct DependencyTests {
    /// A change, what was there before it, and the posts that it publishes to `v3_posts`.
    struct Change: Sendable, CustomTestStringConvertible {
        let name: String
        var before: [SQL] = []
        let statement: SQL
        let posts: [Int]
        var testDescription: String { name }
    }

    static let comment: SQL =
        "INSERT INTO comments (id, subject_id, subject_type, body) VALUES (1, 1, 'Post', 'a')"
    static let reaction: SQL = "INSERT INTO reactions (id, comment_id, emoji) VALUES (1, 1, ':)')"
    static let cover: SQL = "INSERT INTO covers (id, post_id, url) VALUES (1, 1, 'c')"

    static let changes = [
        Change(name: "has-one created", statement: cover, posts: [1]),
        Change(name: "has-one updated", before: [cover], statement: "UPDATE covers SET url = 'd'", posts: [1]),
        Change(name: "has-one moved", before: [cover], statement: "UPDATE covers SET post_id = 2", posts: [1, 2]),
        Change(name: "has-one deleted", before: [cover], statement: "DELETE FROM covers", posts: [1]),
        Change(
            name: "several of one statement",
            statement: """
                INSERT INTO taggings (id, post_id, tag_id)
                VALUES (8, 1, '\(raw: PressSchema.red)')
                """,
            posts: [1]
        ),
        Change(name: "through: the other end is updated", statement: "UPDATE tags SET label = 'rouge'", posts: [1, 2]),
        Change(
            name: "through: the other end of one parent is updated",
            statement: "UPDATE tags SET label = 'bleu' WHERE label = 'blue'",
            posts: [1]
        ),
        Change(
            name: "through: the row between moves",
            statement: "UPDATE taggings SET post_id = 2 WHERE id = 2",
            posts: [1, 2]
        ),
        Change(name: "through: the row between is deleted", statement: "DELETE FROM taggings WHERE id = 3", posts: [2]),
        Change(name: "polymorphic has-many created", statement: comment, posts: [1]),
        Change(
            name: "polymorphic has-many of another model",
            statement: "INSERT INTO comments (id, subject_id, subject_type, body) VALUES (1, 1, 'Photo', 'a')",
            posts: []
        ),
        Change(
            name: "polymorphic has-many moved to another model",
            before: [comment],
            statement: "UPDATE comments SET subject_type = 'Photo'",
            posts: [1]
        ),
        Change(
            name: "polymorphic has-many moved from another model",
            before: ["INSERT INTO comments (id, subject_id, subject_type, body) VALUES (1, 1, 'Photo', 'a')"],
            statement: "UPDATE comments SET subject_type = 'Post'",
            posts: [1]
        ),
        Change(name: "nested created", before: [comment], statement: reaction, posts: [1]),
        Change(
            name: "nested updated",
            before: [comment, reaction],
            statement: "UPDATE reactions SET emoji = ':D'",
            posts: [1]
        ),
        Change(name: "nested deleted", before: [comment, reaction], statement: "DELETE FROM reactions", posts: [1]),
        Change(
            name: "nested moved",
            before: [
                comment, reaction,
                "INSERT INTO comments (id, subject_id, subject_type, body) VALUES (2, 2, 'Post', 'b')",
            ],
            statement: "UPDATE reactions SET comment_id = 2",
            posts: [1, 2]
        ),
        Change(
            name: "between nested moved, with what is nested in it",
            before: [comment, reaction],
            statement: "UPDATE comments SET subject_id = 2",
            posts: [1, 2]
        ),
        Change(
            name: "between nested deleted",
            before: [comment, reaction],
            statement: "DELETE FROM comments",
            posts: [1]
        ),
    ]

    @Test(
        "a change to a dependency publishes every parent it has or had, each with its own key and once",
        arguments: TestDatabaseKind.available,
        changes
    )
    func change(_ kind: TestDatabaseKind, _ change: Change) async throws {
        try await PressHarness.run(kind) { harness in
            try await harness.writePress()
            for statement in change.before { try await harness.write(statement) }
            try await harness.relay()
            try await harness.settle()
            let before = try await harness.events(in: "v3_posts").count
            try await harness.write(change.statement)
            let expected = change.posts.map { "post_updated Post:\($0)" }
            let pending = try await harness.pending(in: "v3_posts")
            #expect(Set(pending) == Set(expected))
            try await harness.relay()
            let events = try await harness.events(in: "v3_posts")
            #expect(events.count - before >= expected.count)
            #expect(Set(expected).isSubset(of: Set(events)) || expected.isEmpty)
        }
    }

    @Test(
        "a statement that changes many parts of a parent publishes it once where statements are captured whole",
        .enabled(if: TestDatabaseKind.available.contains(.postgres))
    )
    func once() async throws {
        try await PressHarness.run(.postgres) { harness in
            try await harness.writePress()
            try await harness.write("UPDATE tags SET label = label || '!'")
            #expect(
                try await harness.pending(in: "v3_posts") == ["post_updated Post:1", "post_updated Post:2"]
            )
        }
    }

    @Test(
        "a record that a polymorphic association leads to publishes those that belong to it, and no others",
        arguments: TestDatabaseKind.available
    )
    func polymorphic(_ kind: TestDatabaseKind) async throws {
        try await PressHarness.run(kind) { harness in
            try await harness.writePress()
            try await harness.write(
                """
                INSERT INTO comments (id, subject_id, subject_type, body)
                VALUES (1, 1, 'Post', 'a'), (2, 1, 'Photo', 'b'), (3, 2, 'Post', 'c')
                """
            )
            try await harness.settle()
            try await harness.write("UPDATE photos SET url = 'p2'")
            #expect(try await harness.pending(in: "v3_comments") == ["comment_updated Comment:2"])
            try await harness.settle()
            try await harness.write("UPDATE posts SET title = 'Uno' WHERE id = 1")
            #expect(try await harness.pending(in: "v3_comments") == ["comment_updated Comment:1"])
        }
    }

    @Test(
        "the parent's payload shows what its parts are after the change",
        arguments: TestDatabaseKind.available
    )
    func payloads(_ kind: TestDatabaseKind) async throws {
        try await PressHarness.run(kind) { harness in
            try await harness.writePress()
            try await harness.write(Self.comment, Self.reaction)
            try await harness.settle()
            try await harness.write("DELETE FROM reactions")
            try await harness.relay()
            let payload = try #require(try await harness.messages(in: "v3_posts").last).payload
            #expect(payload["links"]?["comments"] == [1])
            guard case .array(let comments) = payload["comments"] else {
                Issue.record("no comments")
                return
            }
            #expect(comments.first?["reactions"] == [])
        }
    }
}
