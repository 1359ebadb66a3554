import Dionysus
import DionysusProducer
import TestSupport
import Testing

@testable import Rentals

/// What a payload is made of.
@Suite struct SerializerTests {
    static let timestamp = Timestamp(microseconds: 0)

    @Test("a serializer can be tried alone: computed attributes, scales and links")
    func alone() throws {
        let account = Account(
            id: 7,
            name: "Acme",
            defaultCheckInTime: 15,
            createdAt: Self.timestamp,
            updatedAt: Self.timestamp
        )
        let rental = Rental(
            id: 1,
            accountID: 7,
            name: "Villa",
            price: 150,
            bedrooms: 3,
            createdAt: Self.timestamp,
            updatedAt: Self.timestamp
        )
        let payload = try RentalSerializer().payload(of: rental, related: Related().adding(Rental.account, account))
        #expect(payload["price"] == "150.00")
        #expect(payload["check_in_time"] == 15)
        #expect(payload["created_at"] == "1970-01-01T00:00:00.000000Z")
        #expect(payload["links"] == ["account": 7])
        let error = #expect(throws: DionysusError.self) { try RentalSerializer().payload(of: rental) }
        #expect(error?.description.contains("is not loaded") == true)
    }

    @Test("a serializer that is tried alone sideloads what it is asked for")
    func aloneWithSideloads() throws {
        let booking = Booking(
            id: 1,
            rentalID: 2,
            startAt: Self.timestamp,
            basePrice: 500,
            createdAt: Self.timestamp,
            updatedAt: Self.timestamp
        )
        let fee = BookingsFee(
            id: 3,
            bookingID: 1,
            name: "pets",
            amount: 10,
            createdAt: Self.timestamp,
            updatedAt: Self.timestamp
        )
        let payload = try BookingSerializer()
            .payload(
                of: booking,
                related: Related().adding(Booking.fees, [fee]),
                with: Booking.fees,
                serializers: Serializers { BookingsFeeSerializer() }
            )
        #expect(payload["final_price"] == "510.00")
        #expect(payload["links"] == ["rental": 2, "bookings_fees": [3]])
        let fees = try #require(payload["bookings_fees"])
        let expected = try BookingsFeeSerializer().payload(of: fee)
        #expect(fees == [expected])
    }

    @Test("a polymorphic link names id and model, or is null")
    func polymorphicLink() throws {
        let comment = Comment(id: 1, subjectID: 5, subjectType: "Photo", body: "nice")
        let photo = Photo(id: 5, url: "p5")
        let payload = try CommentSerializer()
            .payload(
                of: comment,
                related: Related().adding(Comment.subject, photo).adding(Comment.reactions, []),
                with: Comment.subject,
                serializers: Serializers { Whole(Photo.self) }
            )
        #expect(payload["links"] == ["subject": ["id": 5, "type": "Photo"], "reactions": []])
        #expect(payload["subject"] == ["id": 5, "url": "p5", "links": [:]])
        let orphan = try CommentSerializer().payload(of: Comment(id: 2, body: "lost"))
        #expect(orphan["links"] == ["subject": .null, "reactions": []])
    }

    @Test("a sideloaded model that no serializer is listed for isn't published by the way")
    func sideloadWithoutSerializer() throws {
        let comment = Comment(id: 1, subjectID: 5, subjectType: "Photo", body: "nice")
        let error = try #require(throws: DionysusError.self) {
            try CommentSerializer()
                .payload(
                    of: comment,
                    related: Related().adding(Comment.subject, Photo(id: 5, url: "p5")).adding(Comment.reactions, []),
                    with: Comment.subject
                )
        }
        #expect(error.code == .declaration)
        #expect(error.message.contains("Photo: it has no serializer"))
        #expect(!error.description.contains("p5"))
    }

    @Test("a later declaration of a name replaces the earlier in its place: attribute, to-one and to-many")
    func overriding() throws {
        let post = Post(id: 1, authorID: 3, region: "eu", title: "one")
        let (red, blue) = (Tag(id: PressSchema.red, label: "red"), Tag(id: PressSchema.blue, label: "blue"))
        let related = Related<Post>().adding(Post.tags, [red, blue]).adding(Post.site, Site(id: 1, locale: "en"))
            .adding(Post.cover, nil).adding(Post.comments, [])
        let payload = try PostSummarySerializer()
            .payload(of: post, related: related, with: Post.tags, serializers: Serializers { Whole(Tag.self) })
        guard case .object(let object) = payload else {
            Issue.record("no object")
            return
        }
        #expect(object.members.map(\.name) == ["id", "title", "region", "locale", "links", "tags"])
        #expect(payload["title"] == "ONE")
        #expect(
            payload["links"] == [
                "author": 300, "cover": .null, "tags": [.string(PressSchema.red)], "comments": [],
            ]
        )
        #expect(payload["tags"] == [["id": .string(PressSchema.red), "label": "red", "links": [:]]])
    }

    @Test(
        "has-one, has-many-through, polymorphic has-many and what is nested in them are linked and sideloaded",
        arguments: TestDatabaseKind.available
    )
    func sideloads(_ kind: TestDatabaseKind) async throws {
        try await PressHarness.run(kind) { harness in
            try await harness.writePress()
            try await harness.write(
                "INSERT INTO covers (id, post_id, url) VALUES (9, 1, 'c9')",
                """
                INSERT INTO comments (id, subject_id, subject_type, body)
                VALUES (1, 1, 'Post', 'first'), (2, 1, 'Photo', 'elsewhere'), (3, 1, 'Post', 'third')
                """,
                "INSERT INTO reactions (id, comment_id, emoji) VALUES (5, 3, ':)'), (6, 2, ':(')"
            )
            try await harness.settle()
            try await harness.write("UPDATE posts SET title = 'Uno' WHERE id = 1")
            try await harness.relay()
            let payload = try #require(try await harness.messages(in: "v3_posts").first).payload
            let (red, blue) = (JSON.string(PressSchema.red), JSON.string(PressSchema.blue))
            #expect(payload["locale"] == "en")
            #expect(payload["links"] == ["author": 1, "cover": 9, "tags": [red, blue], "comments": [1, 3]])
            #expect(payload["cover"] == ["id": 9, "url": "c9", "post_id": 1, "links": [:]])
            #expect(
                payload["tags"] == [
                    ["id": red, "label": "red", "links": [:]], ["id": blue, "label": "blue", "links": [:]],
                ]
            )
            let subject: JSON = ["id": 1, "type": "Post"]
            #expect(
                payload["comments"] == [
                    ["id": 1, "body": "first", "links": ["subject": subject, "reactions": []], "reactions": []],
                    [
                        "id": 3, "body": "third", "links": ["subject": subject, "reactions": [5]],
                        "reactions": [["id": 5, "emoji": ":)", "links": ["comment": 3]]],
                    ],
                ]
            )
        }
    }

    @Test(
        "a polymorphic to-one relationship is sideloaded as the model that its type names",
        arguments: TestDatabaseKind.available
    )
    func polymorphicSideloads(_ kind: TestDatabaseKind) async throws {
        try await PressHarness.run(kind) { harness in
            try await harness.writePress()
            try await harness.write(
                """
                INSERT INTO comments (id, subject_id, subject_type, body)
                VALUES (1, 1, 'Post', 'a'), (2, 1, 'Photo', 'b'), (3, NULL, NULL, 'c'), (4, 99, 'Photo', 'd')
                """
            )
            try await harness.relay()
            let messages = try await harness.messages(in: "v3_comments").sorted { $0.key < $1.key }
            #expect(
                messages.map { $0.payload["links"]?["subject"] } == [
                    ["id": 1, "type": "Post"], ["id": 1, "type": "Photo"], .null, ["id": 99, "type": "Photo"],
                ]
            )
            #expect(messages[0].payload["subject"]?["title"] == "One")
            #expect(messages[0].payload["subject"]?["links"]?["author"] == 1)
            #expect(messages[1].payload["subject"] == ["id": 1, "url": "p1", "links": [:]])
            #expect(messages[2].payload["subject"] == .null)
            #expect(messages[3].payload["subject"] == .null)
        }
    }

    @Test(
        "a polymorphic dependency has parts of its own for the model that they are declared for",
        arguments: TestDatabaseKind.available
    )
    func partsOfPolymorphic(_ kind: TestDatabaseKind) async throws {
        struct Commented: Producer {
            var namespaces: [Namespace] {
                Namespace("v3", serializers: PressSync().third) {
                    Topic("comments") {
                        Publish(Comment.self, with: Comment.subject.with(Post.self, Post.tags))
                    }
                }
            }
        }
        try await PressHarness.run(kind, producer: Commented()) { harness in
            try await harness.writePress()
            try await harness.write(
                """
                INSERT INTO comments (id, subject_id, subject_type, body) VALUES (1, 2, 'Post', 'a'), (2, 1, 'Photo', 'b')
                """
            )
            try await harness.settle()
            try await harness.write("UPDATE tags SET label = 'rouge' WHERE label = 'red'")
            try await harness.relay()
            let messages = try await harness.messages(in: "v3_comments")
            let payload = try #require(messages.first).payload
            #expect(messages.map(\.key) == ["Comment:1"])
            #expect(
                payload["subject"]?["tags"] == [["id": .string(PressSchema.red), "label": "rouge", "links": [:]]]
            )
        }
    }

    @Test(
        "each namespace writes the same model with its own serializer",
        arguments: TestDatabaseKind.available
    )
    func namespaces(_ kind: TestDatabaseKind) async throws {
        try await PressHarness.run(kind) { harness in
            try await harness.writePress()
            try await harness.write("UPDATE posts SET region = 'asia' WHERE id = 1")
            try await harness.relay()
            let third = try #require(try await harness.messages(in: "v3_posts").first).payload
            let fourth = try #require(try await harness.messages(in: "v4_posts").first).payload
            #expect(third["title"] == "One")
            #expect(fourth["title"] == "ONE")
            #expect(fourth["links"]?["author"] == 100)
            // Of the sideloaded tags those stay that the computed link names.
            #expect(fourth["tags"] == [["id": .string(PressSchema.red), "label": "red", "links": [:]]])
        }
    }

    @Test(
        "a message that an observed change causes has the sideloads of any other",
        arguments: TestDatabaseKind.available
    )
    func observedSideloads(_ kind: TestDatabaseKind) async throws {
        try await PressHarness.run(kind) { harness in
            try await harness.writePress()
            try await harness.write("UPDATE posts SET region = region || 'x' WHERE id = 2")
            try await harness.relay()
            try await harness.write("UPDATE posts SET region = 'us' WHERE id = 2")
            try await harness.relay()
            try await harness.settle()
            try await harness.write("UPDATE authors SET name = 'Grace'")
            try await harness.relay()
            let messages = try await harness.messages(in: "v3_posts").filter { $0.key == "Post:2" }
            let observed = try #require(messages.last).payload
            let own = messages[1].payload
            #expect(messages.count == 3)
            #expect(observed["tags"] != nil && observed == own)
        }
    }
}
