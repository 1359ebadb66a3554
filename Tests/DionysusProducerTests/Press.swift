import Dionysus
import DionysusProducer

@testable import Rentals

// A publisher's models: associations of every kind, several versions of the interface.

struct Site: Model {
    var id: Int
    var locale: String

    enum CodingKeys: String, CodingKey { case id, locale }

    static let authors = hasMany(Author.self, by: .siteID)
    static let posts = hasMany(through: authors, Author.posts)
}

struct Author: Model {
    var id: Int
    var siteID: Int
    var name: String

    enum CodingKeys: String, CodingKey {
        case id, name
        case siteID = "site_id"
    }

    static let site = belongsTo(Site.self, by: .siteID)
    static let posts = hasMany(Post.self, by: .authorID)
}

struct Post: Model {
    var id: Int
    var authorID: Int
    var region: String?
    var title: String
    var canceledAt: Timestamp?

    enum CodingKeys: String, CodingKey {
        case id, region, title
        case authorID = "author_id"
        case canceledAt = "canceled_at"
    }

    static let author = belongsTo(Author.self, by: .authorID)
    static let site = hasOne(through: author, Author.site)
    static let cover = hasOne(Cover.self, by: .postID)
    static let comments = hasMany(Comment.self, by: .subjectID, as: .subjectType)
    static let taggings = hasMany(Tagging.self, by: .postID)
    static let tags = hasMany(through: taggings, Tagging.tag)
}

struct Cover: Model {
    var id: Int
    var postID: Int
    var url: String

    enum CodingKeys: String, CodingKey {
        case id, url
        case postID = "post_id"
    }

    static let post = belongsTo(Post.self, by: .postID)
}

struct Photo: Model {
    var id: Int
    var url: String

    enum CodingKeys: String, CodingKey { case id, url }

    static let comments = hasMany(Comment.self, by: .subjectID, as: .subjectType)
}

struct Comment: Model {
    var id: Int
    var subjectID: Int?
    var subjectType: String?
    var body: String

    enum CodingKeys: String, CodingKey {
        case id, body
        case subjectID = "subject_id"
        case subjectType = "subject_type"
    }

    static let subject = belongsTo(anyOf: Post.self, Photo.self, id: .subjectID, type: .subjectType)
    static let reactions = hasMany(Reaction.self, by: .commentID)
}

struct Reaction: Model {
    var id: Int
    var commentID: Int
    var emoji: String

    enum CodingKeys: String, CodingKey {
        case id, emoji
        case commentID = "comment_id"
    }

    static let comment = belongsTo(Comment.self, by: .commentID)
}

struct Tag: Model {
    var id: String
    var label: String

    enum CodingKeys: String, CodingKey { case id, label }
}

struct Tagging: Model {
    var id: Int
    var postID: Int
    var tagID: String

    enum CodingKeys: String, CodingKey {
        case id
        case postID = "post_id"
        case tagID = "tag_id"
    }

    static let tag = belongsTo(Tag.self, by: .tagID)
}

enum PressSchema {
    static func create(in transaction: inout Transaction) throws {
        let types = TableTypes(transaction.dialect)
        let uuid = transaction.dialect.columnType(.uuid)
        try transaction.run([
            "CREATE TABLE sites (id \(raw: types.key), locale text NOT NULL)",
            "CREATE TABLE authors (id \(raw: types.key), site_id \(raw: types.reference), name text NOT NULL)",
            """
            CREATE TABLE posts (
              id \(raw: types.key), author_id \(raw: types.reference), region text, title text NOT NULL,
              canceled_at \(raw: types.timestamp)
            )
            """,
            "CREATE TABLE covers (id \(raw: types.key), post_id \(raw: types.reference), url text NOT NULL)",
            "CREATE TABLE photos (id \(raw: types.key), url text NOT NULL)",
            """
            CREATE TABLE comments (
              id \(raw: types.key), subject_id \(raw: types.reference), subject_type text, body text NOT NULL
            )
            """,
            "CREATE TABLE reactions (id \(raw: types.key), comment_id \(raw: types.reference), emoji text NOT NULL)",
            "CREATE TABLE tags (id \(raw: uuid) PRIMARY KEY, label text NOT NULL)",
            """
            CREATE TABLE taggings (
              id \(raw: types.key), post_id \(raw: types.reference), tag_id \(raw: uuid) NOT NULL REFERENCES tags (id)
            )
            """,
        ])
    }

    /// Two posts of one author, a photo, and tags that the posts share.
    static let records: [SQL] = [
        "INSERT INTO sites (id, locale) VALUES (1, 'en')",
        "INSERT INTO authors (id, site_id, name) VALUES (1, 1, 'Ada')",
        "INSERT INTO posts (id, author_id, region, title) VALUES (1, 1, 'eu', 'One'), (2, 1, 'us', 'Two')",
        "INSERT INTO photos (id, url) VALUES (1, 'p1')",
        "INSERT INTO tags (id, label) VALUES ('\(raw: red)', 'red'), ('\(raw: blue)', 'blue')",
        """
        INSERT INTO taggings (id, post_id, tag_id)
        VALUES (1, 1, '\(raw: red)'), (2, 1, '\(raw: blue)'), (3, 2, '\(raw: red)')
        """,
    ]

    static let red = "00000000-0000-0000-0000-00000000000a"
    static let blue = "00000000-0000-0000-0000-00000000000b"
}

struct PostSerializer: ModelSerializer {
    var fields: Fields<Post> {
        Attributes(.id, .title, .region)
        Attribute("locale", loading: Post.site) { _, related in try related[optional: Post.site]?.locale }
        HasOne("author", Post.author)
        HasOne("cover", Post.cover)
        HasMany("tags", Post.tags)
        HasMany("comments", Post.comments)
    }
}

struct CommentSerializer: ModelSerializer {
    var fields: Fields<Comment> {
        Attributes(.id, .body)
        HasOne("subject", Comment.subject)
        HasMany("reactions", Comment.reactions)
    }
}

struct ReactionSerializer: ModelSerializer {
    var fields: Fields<Reaction> {
        Attributes(.id, .emoji)
        HasOne("comment", Reaction.comment)
    }
}

/// The fourth version of the interface writes posts its own way.
struct PostSummarySerializer: ModelSerializer {
    var fields: Fields<Post> {
        PostSerializer().fields
        Attribute(.title) { post, _ in post.title.uppercased() }
        HasMany("tags", Post.tags) { _, related in
            try related[Post.tags].filter { $0.label != "blue" }.map(\.id)
        }
        HasOne("author") { post, _ in post.authorID * 100 }
    }
}

struct PressSync: Producer {
    let third = Serializers {
        PostSerializer()
        CommentSerializer()
        ReactionSerializer()
        Whole(Cover.self)
        Whole(Tag.self)
        Whole(Photo.self)
    }

    var namespaces: [Namespace] {
        Namespace("v3", serializers: third) {
            Topic("posts") {
                Publish(Post.self, with: Post.cover, Post.tags, Post.comments.with(Comment.reactions))
                    .observing(Author.self, .name, through: Author.posts)
                    .observing(Site.self, .locale, through: Site.posts)
            }
            Topic("comments") { Publish(Comment.self, with: Comment.subject, Comment.reactions) }
        }
        Namespace(
            "v4",
            serializers: Serializers {
                PostSummarySerializer(); Whole(Tag.self); Whole(Photo.self)
            }
        ) {
            Topic("posts", partitionKey: "author_id") { Publish(Post.self, with: Post.tags) }
            Topic("feed", partitionKey: .messageKey) {
                Publish(Post.self).partitioned(reading: .region) { $0.region }
                Publish(Photo.self)
            }
        }
    }
}
