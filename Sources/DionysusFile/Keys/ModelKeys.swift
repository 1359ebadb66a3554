import Dionysus

extension FileKeys {
    /// The names of types of columns; a question mark behind one makes it nullable.
    static let types: [(name: String, kind: ValueKind)] = [
        ("bool", .bool), ("integer", .integer(bits: 64, isSigned: true)), ("double", .double), ("decimal", .decimal),
        ("text", .text), ("timestamp", .time), ("date", .date), ("uuid", .uuid), ("json", .document), ("bytes", .bytes),
    ]

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
                "Its columns and their types: \(types.map { "`\($0.name)`" }.joined(separator: ", ")), each with `[]` for a "
                    + "list and `?` where it may be null. Read from the database if they are not written here."
            ),
            Key(
                "belongs_to",
                .named("associations", .keys(belongsTo)),
                "Associations whose key this model's table has."
            ),
            Key("has_one", .named("associations", .keys(hasMany)), "Associations with at most one record of a model."),
            Key("has_many", .named("associations", .keys(hasMany)), "Associations with any number of records."),
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
}
