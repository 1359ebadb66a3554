import Dionysus
import DionysusProducer
import TestSupport
import Testing

/// Changes of observed attributes publish the records that are computed from them.
@Suite struct ObserverTests {
    private func events(after statements: [SQL], _ kind: TestDatabaseKind) async throws -> [String] {
        var events: [String] = []
        try await PressHarness.run(kind) { harness in
            try await harness.writePress()
            for statement in statements { try await harness.write(statement) }
            try await harness.relay()
            events = try await harness.events(in: "v3_posts").sorted()
        }
        return events
    }

    private static let both = ["post_updated Post:1", "post_updated Post:2"]

    @Test("a to-many association leads to every observer", arguments: TestDatabaseKind.available)
    func toMany(_ kind: TestDatabaseKind) async throws {
        #expect(try await events(after: ["UPDATE authors SET name = 'Grace'"], kind) == Self.both)
    }

    @Test("a chain of associations leads to every observer", arguments: TestDatabaseKind.available)
    func chain(_ kind: TestDatabaseKind) async throws {
        #expect(try await events(after: ["UPDATE sites SET locale = 'el'"], kind) == Self.both)
    }

    @Test("a to-one association leads to the one observer", arguments: TestDatabaseKind.available)
    func toOne(_ kind: TestDatabaseKind) async throws {
        try await PressHarness.run(kind, producer: CoverObserver()) { harness in
            try await harness.writePress()
            try await harness.write("INSERT INTO covers (id, post_id, url) VALUES (1, 2, 'c')")
            try await harness.write("UPDATE covers SET url = 'd'")
            try await harness.relay()
            #expect(try await harness.events(in: "v3_posts") == ["post_updated Post:2"])
        }
    }

    @Test("an attribute that is not observed publishes nothing", arguments: TestDatabaseKind.available)
    func notObserved(_ kind: TestDatabaseKind) async throws {
        try await PressHarness.run(kind, producer: CoverObserver()) { harness in
            try await harness.writePress()
            try await harness.write("INSERT INTO covers (id, post_id, url) VALUES (1, 2, 'c')")
            try await harness.write("UPDATE covers SET post_id = 1")
            try await harness.relay()
            #expect(try await harness.events(in: "v3_posts") == [])
        }
    }

    @Test(
        "what joins the observed record and its observers is part of the chain",
        arguments: TestDatabaseKind.available
    )
    func middle(_ kind: TestDatabaseKind) async throws {
        let changes: [SQL] = [
            "INSERT INTO sites (id, locale) VALUES (2, 'el')", "UPDATE authors SET site_id = 2",
        ]
        #expect(try await events(after: changes, kind) == Self.both)
    }

    /// A post shows its cover's address, without the cover being a part of it.
    private struct CoverObserver: Producer {
        var namespaces: [Namespace] {
            Namespace("v3", serializers: Serializers { Whole(Post.self) }) {
                Topic("posts") { Publish(Post.self).observing(Cover.self, .url, through: Cover.post) }
            }
        }
    }
}
