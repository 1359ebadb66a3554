import Dionysus
import DionysusProducer
import TestSupport
import Testing

/// All faults of a declaration are reported together, each with the declaration it comes from.
@Suite struct DeclarationFaultTests {
    /// Validates a declaration against the publisher's tables.
    private func faults(_ kind: TestDatabaseKind, _ producer: some Producer) async throws -> [String] {
        try await withTemporaryDatabase(kind) { database in
            try await database.transaction(.write) { try PressSchema.create(in: &$0) }
            return try await OutboxSchema(database: database, registry: Registry(producer)).validate()
        }
    }

    @Test("topics: names that Kafka refuses, two of one name, a model twice", arguments: TestDatabaseKind.available)
    func topics(_ kind: TestDatabaseKind) async throws {
        struct Faulty: Producer {
            var namespaces: [Namespace] {
                Namespace(
                    "v3",
                    serializers: Serializers {
                        Whole(Post.self); Whole(Photo.self)
                    }
                ) {
                    Topic("posts and more") { Publish(Post.self) }
                    Topic("posts", genesisReplica: true) {
                        Publish(Post.self)
                        Publish(Post.self)
                    }
                    Topic("posts_genesis") { Publish(Photo.self) }
                    Topic("photos") { Publish(Photo.self) }
                    Topic("photos") { Publish(Photo.self) }
                    Topic(String(repeating: "x", count: 247)) { Publish(Photo.self) }
                }
            }
        }
        let faults = try await faults(kind, Faulty())
        #expect(faults.contains { $0.contains("topic posts and more: v3_posts and more is no name for a topic") })
        #expect(faults.contains("namespace v3, topic posts: it publishes Post twice"))
        #expect(
            faults.contains(
                "namespace v3, topic posts_genesis: namespace v3, topic posts is also called v3_posts_genesis"
            )
        )
        #expect(faults.contains("namespace v3, topic photos: namespace v3, topic photos is also called v3_photos"))
        #expect(faults.contains { $0.contains("topic xxx") && $0.contains("Kafka takes 1 to 249") })
    }

    @Test(
        "serializers: attributes, links and loads that lead nowhere, dependencies without a relationship",
        arguments: TestDatabaseKind.available
    )
    func serializers(_ kind: TestDatabaseKind) async throws {
        let faults = try await faults(kind, FaultySync())
        #expect(
            faults.contains("topic v3_posts, model Post, with Tag: BarePostSerializer has no relationship for it")
        )
        #expect(
            faults.contains(
                "topic v3_posts, model Post, with Reaction: Comment, which is published whole, has no relationship for it"
            )
        )
        #expect(
            faults.contains(
                "topic v3_covers, model Ghost, GhostSerializer: attribute colour: Ghost has no such property"
            )
        )
        #expect(
            faults.contains { $0.hasPrefix("topic v3_covers, model Ghost, GhostSerializer: link house: association") }
        )
        #expect(faults.contains("model Ghost: there is no table ghosts"))
    }

    @Test(
        "a model that is published or sideloaded has a serializer, or is listed as whole",
        arguments: TestDatabaseKind.available
    )
    func wholeModels(_ kind: TestDatabaseKind) async throws {
        struct Unnamed: Producer {
            let serializers: Serializers
            var namespaces: [Namespace] {
                Namespace("v3", serializers: serializers) {
                    Topic("posts") { Publish(Post.self, with: Post.tags, Post.comments.with(Comment.reactions)) }
                    Topic("photos") { Publish(Photo.self) }
                }
            }
        }
        let place = "topic v3_posts, model Post"
        let all = try await faults(kind, Unnamed(serializers: Serializers {})).filter { $0.contains("no serializer") }
        let beginnings = [
            place + ": ", place + ", with Tag: ", place + ", with Comment: ", place + ", with Reaction: ",
        ]
        #expect(
            all
                == (beginnings + ["topic v3_photos, model Photo: "])
                .map { start in
                    let model = start.split(separator: " ").last.map { $0.dropLast() } ?? ""
                    return start + "it has no serializer, and nothing is published that nobody has named; write a "
                        + "ModelSerializer, or list Whole(\(model).self) among the serializers to publish every property"
                }
        )
        let named = Serializers {
            PostSerializer()
            CommentSerializer()
            Whole(Tag.self)
            Whole(Reaction.self)
            Whole(Photo.self)
        }
        #expect(try await faults(kind, Unnamed(serializers: named)).filter { $0.contains("serializer") } == [])
    }

    @Test("observers and partition keys: columns that there are not", arguments: TestDatabaseKind.available)
    func observers(_ kind: TestDatabaseKind) async throws {
        let faults = try await faults(kind, FaultySync())
        #expect(faults.contains("topic v3_posts, model Post, observing Ghost: there is no table ghosts"))
        #expect(
            faults.contains { $0.hasPrefix("topic v3_posts, model Post, observing Ghost: association Ghost → Post") }
        )
        #expect(faults.contains("topic v3_covers, model Ghost, partition key: there is no table ghosts"))
    }

    @Test("associations between columns that can't be compared", arguments: TestDatabaseKind.available)
    func types(_ kind: TestDatabaseKind) async throws {
        struct Faulty: Producer {
            var namespaces: [Namespace] {
                Namespace("v3", serializers: Serializers { Whole(Photo.self) }) {
                    Topic("photos") { Publish(Photo.self).observing(Tag.self, .label, through: Misled.photo) }
                }
            }
        }
        let faults = try await faults(kind, Faulty())
        #expect(faults.contains { $0.contains("tags.label is text and photos.id integer: they can't be compared") })
    }

    @Test("migrate and relay refuse with all faults in one error", arguments: TestDatabaseKind.available)
    func refused(_ kind: TestDatabaseKind) async throws {
        try await withTemporaryDatabase(kind) { database in
            try await database.transaction(.write) { try PressSchema.create(in: &$0) }
            let schema = OutboxSchema(database: database, registry: Registry(FaultySync()))
            let error = await #expect(throws: DionysusError.self) { try await schema.migrate(lanes: 4) }
            #expect(error?.code == .declaration)
            #expect(error?.message.contains("BarePostSerializer") == true)
            #expect(error?.message.contains("there is no table ghosts") == true)
        }
    }

    @Test("a sound declaration has no faults", arguments: TestDatabaseKind.available)
    func sound(_ kind: TestDatabaseKind) async throws {
        try await PressHarness.run(kind) { harness in
            let faults = try await harness.schema.validate()
            #expect(faults == [])
        }
    }
}

/// A model whose table there is not.
private struct Ghost: Model {
    var id: Int
    var postID: Int

    enum CodingKeys: String, CodingKey {
        case id, colour
        case postID = "post_id"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(Int.self, forKey: .id)
        postID = try container.decode(Int.self, forKey: .postID)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(postID, forKey: .postID)
    }

    static let posts = hasMany(Post.self, by: .authorID)
    static let house = belongsTo(Photo.self, by: .colour)
}

/// An association from a text to a number.
private enum Misled {
    static let photo = Tag.belongsTo(Photo.self, by: .label)
}

private struct GhostSerializer: ModelSerializer {
    var fields: Fields<Ghost> {
        Attributes(.id, .colour)
        HasOne("house", Ghost.house)
    }
}

private struct BarePostSerializer: ModelSerializer {
    var fields: Fields<Post> {
        Attributes(.id)
        HasMany("comments", Post.comments)
    }
}

private struct FaultySync: Producer {
    var namespaces: [Namespace] {
        Namespace(
            "v3",
            serializers: Serializers {
                GhostSerializer()
                BarePostSerializer()
                Whole(Tag.self)
                Whole(Comment.self)
                Whole(Reaction.self)
            }
        ) {
            Topic("posts") {
                Publish(Post.self, with: Post.tags, Post.comments.with(Comment.reactions))
                    .observing(Ghost.self, .postID, through: Ghost.posts)
            }
            Topic("covers") { Publish(Ghost.self).partitioned(reading: .postID) { "\($0.postID)" } }
        }
    }
}
