import Dionysus
import DionysusApplication
import DionysusConsumer

extension FileKeys {
    static let replica = KeyTable(
        "replica",
        [
            Key(
                "database",
                .text,
                "`sqlite:PATH` or `postgres://user:password@host:port/database`. `REPLICA_DATABASE_URL` overrides it."
            ),
            Key(
                "migrate",
                migration,
                "SQL statements that `migrate` runs first, which create the replica's tables; they must be safe to repeat. "
                    + "With the setting `replica_tables: managed` the tables are made from a contract instead."
            ),
            Key(
                "namespaces",
                .named("namespaces", .keys(consumedNamespace)),
                "The topics that are read, by namespaces.",
                isRequired: true
            ),
            Key(
                "models",
                .named("models", .keys(persisted)),
                "How models are kept that don't follow the convention: `BookingsFee` in a table `bookings_fees`."
            ),
        ]
    )

    static let consumedNamespace = KeyTable(
        "a namespace of the replica",
        [
            Key(
                "topics",
                .either([.list(.text), .named("topics", .keys(consumedTopic))]),
                "Its topics.",
                isRequired: true
            ),
            Key(
                "models",
                .named("models", .keys(persisted)),
                "How models of its topics are kept, before `replica.models`."
            ),
        ]
    )

    static let consumedTopic = KeyTable(
        "a topic of the replica",
        [
            Key(
                "accept",
                .either([.choice(["any", "unclaimed"]), .list(.text)]),
                "The models that it may write. `unclaimed` by default: all that no other topic claims."
            ),
            Key(
                "named",
                .choice(["in_namespace", "in_full", "by_pattern"]),
                "What its name is: the namespace stands before it, or it is the whole name, or a regular expression that whole "
                    + "names in the namespace match. `in_namespace` by default."
            ),
            Key("messages", .flag, "Whether its messages are no model's, for handlers in code that reads the file."),
            Key("imports", .flag, "Whether created and destroyed events are handed to replicas that code imports."),
            Key("encoding", consumedEncoding, "How messages are written. `envelope` by default."),
            cloudEvents,
            Key("rows", .keys(rows), "How Debezium's rows become records, for the encoding `debezium`."),
            Key(
                "event_log",
                .either([.flag, .choice(EventIdentity.allCases.map(\.rawValue))]),
                "Whether each event is logged, and handled once; and what makes two deliveries the same event: their `position`, "
                    + "as with `true`, or their `checksum`."
            ),
            Key(
                "verified",
                .flag,
                "Whether its replicas are compared with their source, when a verification runs there."
            ),
            Key(
                "sharing",
                .choice(SharingChoice.allCases.filter { $0 != .code }.map(\.rawValue)),
                "What no two transactions write at once: `records`, or what messages with one key write, `message_keys`."
            ),
            Key(
                "on_failure",
                .either([.choice(["record", "record_and_wait", "skip", "stop"]), .keys(deadLetters)]),
                "What becomes of messages that can't be applied. `record` by default: they are kept in "
                    + "`dionysus_failures`."
            ),
            Key("retry", .keys(retry), "How often, and after what pauses, a failed message is tried again before."),
            Key(
                "only",
                .named("attributes", .list(.text)),
                "Applies only events whose attributes have one of these values."
            ),
            Key("except", .named("attributes", .list(.text)), "Leaves out events with one of these values."),
            Key(
                "batches",
                .choice(TopicChoices.Batches.allCases.map(\.rawValue)),
                "Whether a batch applies only the last update of each record, only the last message of each key, or all. "
                    + "`latest_updates` by default."
            ),
            Key(
                "start",
                .either([.choice(["earliest", "latest"]), .text]),
                "Where a partition without a stored offset begins: there, or at a time such as `2026-05-01T00:00:00Z`."
            ),
            Key("delete_on_tombstone", .flag, "Whether a message without a value deletes the record of its key."),
            Key("lanes", .integer(1...256), "How many lanes work on each partition. 1 by default."),
        ]
    )

    private static let deadLetters = KeyTable(
        "on_failure",
        [
            Key("dead_letter", .text, "The full name of the topic that failed messages are sent to.", isRequired: true),
            Key("max_retries", .integer(0...1_000), "How often a message is tried again before. 2 by default."),
        ]
    )

    private static let retry = KeyTable(
        "retry",
        [
            Key("max_retries", .integer(0...1_000), "How often.", isRequired: true),
            Key("initial", .duration, "The first pause, which doubles each time. `100ms` by default."),
            Key("maximum", .duration, "The longest pause. `10s` by default."),
        ]
    )

    static let persisted = KeyTable(
        "a replica's model",
        [
            Key("table", .text, "Its table, or `schema.table`. The plural of its name in snake case by default."),
            Key("ignore", .flag, "Whether it isn't kept at all."),
            Key("rename", .named("attributes", .text), "Columns of other names than their attributes'."),
            Key(
                "soft_delete",
                .flag,
                "Whether rows of destroyed records are kept, or deleted whatever the settings say."
            ),
            Key("read_only", .list(.text), "Columns that are never written."),
            Key(
                "columns",
                .keys(
                    KeyTable(
                        "columns",
                        ReplicaColumn.allCases.map { Key($0.rawValue, .text, $0.summary) }
                    )
                ),
                "Other names of the columns that Dionysus fills."
            ),
            Key(
                "replace",
                .either([.list(.text), .named("relationships", .keys(replacing))]),
                "Sideloaded relationships whose members are removed when a payload no longer lists them."
            ),
            Key(
                "join",
                .named("relationships", .keys(joining)),
                "Join tables that are kept as payloads list the members of a relationship."
            ),
        ]
    )

    private static let replacing = KeyTable(
        "replace",
        [
            Key(
                "foreign_key",
                .text,
                "The members' column with the id of this record. `synced_`, this model's name and `_id` by default."
            )
        ]
    )

    private static let joining = KeyTable(
        "join",
        [
            Key("table", .text, "The join table.", isRequired: true),
            Key("parent", .text, "Its column with the id of this model's record.", isRequired: true),
            Key("member", .text, "Its column with the id of the member.", isRequired: true),
        ]
    )
}
