import Dionysus
import DionysusApplication

/// The keys of the file: what the parser accepts, what the schema for editors says, and what the reference page lists.
enum FileKeys {
    static let file = KeyTable(
        "the file",
        [
            Key("dionysus", .integer(1...1), "The version of the file's form: 1.", isRequired: true),
            Key(
                "name",
                .text,
                "The application's name: its client id at the broker, and what its outbox belongs to. `dionysus` by default."
            ),
            Key("source", .keys(source), "The database whose changes are published."),
            Key("broker", .keys(broker), "The broker, and the schema registry."),
            Key("models", .named("models", .keys(model)), "The models that are published, by their names on the wire."),
            Key("namespaces", .named("namespaces", .keys(namespace)), "What is published: serializers and topics."),
            Key("replica", .keys(replica), "What is consumed, and where it is kept."),
            Key("settings", .keys(settings), "Settings of the library."),
        ]
    )

    static let migration = Shape.either([
        .list(.text),
        .keys(
            KeyTable(
                "migrate",
                [
                    Key("postgresql", .list(.text), "The statements for PostgreSQL."),
                    Key("sqlite", .list(.text), "The statements for SQLite."),
                ]
            )
        ),
    ])

    static let source = KeyTable(
        "source",
        [
            Key(
                "database",
                .text,
                "`sqlite:PATH` or `postgres://user:password@host:port/database`. `SOURCE_DATABASE_URL` overrides it."
            ),
            Key(
                "migrate",
                migration,
                "SQL statements that `migrate` runs before it creates the outbox, for databases without other migrations; "
                    + "they must be safe to repeat."
            ),
            Key(
                "debezium_outboxes",
                .list(.keys(debeziumOutbox)),
                "Tables in the shape of Debezium's outbox, whose rows are published as messages."
            ),
        ]
    )

    static let debeziumOutbox = KeyTable(
        "an outbox of Debezium's shape",
        [
            Key("table", .text, "The table, or `schema.table`. `outboxevent` by default."),
            Key(
                "topic",
                .text,
                "The whole name of the topic, in which `$${aggregatetype}` stands for that column's value. "
                    + "`outbox.event.$${aggregatetype}` by default."
            ),
            Key(
                "columns",
                .keys(
                    KeyTable(
                        "columns of an outbox",
                        DebeziumColumnName.allCases.map { Key($0.rawValue, .text, $0.summary) }
                    )
                ),
                "Other names of its columns than Debezium's."
            ),
            Key("headers", .named("columns", .text), "Headers of messages, by the columns that they are taken from."),
        ]
    )

    static let broker = KeyTable(
        "broker",
        [
            Key(
                "seed",
                .text,
                "`embedded:PATH`, or `host:port;host:port` of a Kafka cluster. `DIONYSUS_SEED_BROKER` overrides it."
            ),
            Key("registry", .text, "The address of a schema registry. `DIONYSUS_SCHEMA_REGISTRY_URL` overrides it."),
        ]
    )

    static let settings = KeyTable(
        "settings",
        FileSetting.all.map { Key($0.key, .text, "\($0.summary.capitalizedSentence) (`\($0.variable)`).") }
    )
}

extension String {
    fileprivate var capitalizedSentence: String { prefix(1).uppercased() + dropFirst() }
}
