import Dionysus
import DionysusProducer

extension FileKeys {
    static let namespace = KeyTable(
        "a namespace",
        [
            Key(
                "serializers",
                .named("models", .keys(serializer)),
                "How models become payloads. Every model that is published or sideloaded has one."
            ),
            Key("topics", .named("topics", .keys(topic)), "The topics; the name of each begins with the namespace's."),
        ]
    )

    static let serializer = KeyTable(
        "a serializer",
        [
            Key(
                "attributes",
                .either([.choice(["all"]), .list(.either([.text, .named("attributes", .keys(attribute))]))]),
                "The attributes in their order: columns by their names, `NAME: {scale: 2}`; or `all` for every column.",
                isRequired: true
            ),
            Key("computed", .named("attributes", .keys(computed)), "Attributes that are SQL, after the others."),
            Key(
                "links",
                .either([.list(.text), .named("links", .text)]),
                "The associations whose keys are published, by their names, or under another name: `NAME: ASSOCIATION`; "
                    + "`NAME: one` and `NAME: many` for the association of that name."
            ),
        ]
    )

    static let attribute = KeyTable(
        "an attribute",
        [scale] + sql(isRequired: false)
    )

    static let computed = KeyTable("a computed attribute", [scale] + sql(isRequired: true))

    private static let scale = Key(
        "scale",
        .integer(0...38),
        "For a decimal number: how many digits are behind the point on the wire."
    )

    private static func sql(isRequired: Bool) -> [Key] {
        [
            Key(
                "sql",
                .text,
                "An expression, or a `SELECT` of one value, that the database computes. The model's name in snake case stands "
                    + "for the record's row: `rental.name`.",
                isRequired: isRequired
            ),
            Key(
                "type",
                .text,
                "The type of what `sql` gives, as types of columns are written. The database's by default."
            ),
            Key(
                "via",
                .list(.text),
                "Ways to tables that `sql` reads, where foreign keys don't show them: associations, with dots between."
            ),
            Key(
                "reading",
                .named("tables", .list(.text)),
                "The columns that functions in `sql` read, by table, where the database can't know it."
            ),
        ]
    }

    static let topic = KeyTable(
        "a topic",
        [
            Key(
                "publish",
                .either([.list(.text), .named("models", .keys(publication))]),
                "The models that it publishes, and what with. Every topic has them, or `messages`."
            ),
            Key("messages", .flag, "Whether its messages are no model's, and are sent by code that reads the file."),
            Key(
                "compacted_while_waiting",
                .flag,
                "Of `messages`: whether only the last of those with one key is sent that wait together."
            ),
            Key(
                "partition_key",
                .text,
                "The attribute that messages are spread over partitions by, or `message_key`. `account_id` by default."
            ),
            Key("encoding", encoding, "How messages are written. `envelope` by default; `json` of `messages`."),
            cloudEvents,
            Key("genesis", .flag, "Whether every message also goes to a genesis topic."),
            Key(
                "wire",
                .choice(WireStyle.allCases.map(\.rawValue)),
                "How numbers, times and texts are written. `dionysus` by default."
            ),
        ] + topicSettings + [
            Key(
                "genesis_settings",
                .keys(KeyTable("genesis_settings", topicSettings)),
                "What the genesis topic is created with, where it differs."
            )
        ]
    )

    private static let topicSettings = [
        Key("partitions", .integer(1...100_000), "How many partitions it is created with."),
        Key("replication_factor", .integer(1...1_000), "On how many brokers each partition is kept."),
        Key(
            "cleanup_policy",
            .choice(["delete", "compact", "compact,delete"]),
            "What the broker does with old and superseded messages."
        ),
        Key("retention", .either([.choice(["forever"]), .duration]), "How long messages are kept."),
        Key("settings", .named("settings", .text), "The broker's settings for the topic, by their own names."),
    ]

    static let publication = KeyTable(
        "a publication",
        [
            Key(
                "with",
                sideloads(depth: 5),
                "The associations whose records are sideloaded: names, or `NAME: [NAME]` for what comes with those."
            ),
            Key(
                "observing",
                .list(.keys(observation)),
                "Columns of other models whose changes publish this one, because it is computed from them."
            ),
            Key("partition_key", .text, "As the topic's, for this model."),
            Key("after_commit", .flag, "Whether a committing process publishes its changes at once."),
        ]
    )

    private static func sideloads(depth: Int) -> Shape {
        depth == 0 ? .list(.text) : .list(.either([.text, .named("associations", sideloads(depth: depth - 1))]))
    }

    static let observation = KeyTable(
        "an observation",
        [
            Key("model", .text, "The other model.", isRequired: true),
            Key("columns", .list(.text), "Its columns.", isRequired: true),
            Key(
                "through",
                .text,
                "The way from the other model to this one: an association's name, or several with dots between.",
                isRequired: true
            ),
        ]
    )
}
