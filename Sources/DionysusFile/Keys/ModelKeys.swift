import Dionysus
import DionysusApplication
import DionysusProducer

extension FileKeys {
    static let model = KeyTable(
        "a model",
        [
            Key("table", .text, "Its table, or `schema.table`. The plural of its name in snake case by default."),
            Key("key", .text, "The column of its primary key. `id` by default."),
            Key(
                "soft_delete",
                .text,
                "The column that is not null in soft-deleted records; ignored where the table has none. `canceled_at` by "
                    + "default."
            ),
            Key(
                "publish_after_soft_delete",
                .either([.flag, .keys(condition)]),
                "Whether changes of soft-deleted records are published as updates: of all, or of those with such a value."
            ),
            Key(
                "changeset",
                .choice(ChangesetContent.allCases.map(\.rawValue)),
                "What the outbox keeps of a change. `minimal` by default."
            ),
            Key(
                "columns",
                .named("columns", .text),
                "Its columns and their types: \(FileTypeName.all.map { "`\($0.name)`" }.joined(separator: ", ")), each with "
                    + "`[]` for a list and `?` where it may be null. Read from the database if they are not written here."
            ),
            Key(
                "belongs_to",
                .named("associations", .keys(belongsTo)),
                "Associations whose key this model's table has."
            ),
            Key("has_one", .named("associations", .keys(hasMany)), "Associations with at most one record of a model."),
            Key("has_many", .named("associations", .keys(hasMany)), "Associations with any number of records."),
            Key(
                "capture",
                .choice([CaptureMethod.triggers, .application].map(\.rawValue)),
                "Who writes changes to the outbox: triggers, or the application that makes them. `triggers` by default."
            ),
            Key("polls", .list(.keys(poll)), "How changes are found of a table that can have no triggers."),
        ]
    )

    static let condition = KeyTable(
        "a condition",
        [
            Key("column", .text, "The column.", isRequired: true),
            Key("any_of", .list(.text), "The values, of which it must have one.", isRequired: true),
        ]
    )

    static let belongsTo = KeyTable(
        "belongs_to",
        [
            Key("model", .text, "The other model."),
            Key("models", .list(.text), "The other models, of which one column names that of each record."),
            Key("column", .text, "The column with the other's key. The association's name and `_id` by default."),
            Key("type", .text, "The column with the other model's name, where there are several."),
        ]
    )

    static let hasMany = KeyTable(
        "has_one or has_many",
        [
            Key("model", .text, "The other model."),
            Key("column", .text, "The other's column with this model's key. This model's name and `_id` by default."),
            Key("type", .text, "The other's column with this model's name, where it belongs to several models."),
            Key("through", .text, "Another association of this model, which leads to those that `source` starts at."),
            Key("source", .text, "The association of the model between. The association's own name by default."),
        ]
    )

    static let poll = KeyTable(
        "a poll",
        [
            Key(
                "by",
                .choice(["time", "state", "full_table"]),
                "How changes are found: by a time that advances, by a state that the poll sets, or by publishing every record.",
                isRequired: true
            ),
            Key("column", .text, "The column with the time, or with the state. It needs an index."),
            Key("every", .duration, "The time from the beginning of a round to that of the next. `60s` by default."),
            Key("delay", .duration, "How old a change has to be to be found by its time. `2s` by default."),
            Key(
                "rereading",
                .duration,
                "By time: how far back every round looks again, for what was committed late. `1h` by default."
            ),
            Key("from_now", .flag, "By time: whether the first round ignores what is there already."),
            Key("published", .text, "By state: the state of records that have been handed to the relay."),
            Key("failed", .text, "By state: the state of records that the relay has given up."),
            Key("published_at", .text, "By state: a column that gets the time at which the record was handed over."),
            Key(
                "deletions",
                .flag,
                "By full table: whether records that the next round doesn't find are published as destroyed."
            ),
            Key("name", .text, "What distinguishes the poll from others. The model's name and the method by default."),
        ]
    )
}
