import Dionysus
import DionysusApplication

extension FileKeys {
    static let encoding = Shape.either([
        .choice(["envelope", "json", "avro", "json_schema"]), .keys(record), .keys(envelope),
    ])

    static let consumedEncoding = Shape.either([
        .choice(["envelope", "auto", "json", "avro", "json_schema", "debezium"]), .keys(record), .keys(envelope),
    ])

    static let cloudEvents = Key(
        "cloud_events",
        .choice(CloudEventMode.allCases.map(\.rawValue)),
        "Makes each message a CloudEvent, whose data are what `encoding` says."
    )

    private static let record = KeyTable(
        "an encoding",
        [
            Key("record", .choice(["json", "avro", "json_schema"]), "One record in each message.", isRequired: true),
            key, framing, schemaKey,
            Key("deletions", .choice(["null", "marked"]), "What a destroyed record becomes. `null` by default."),
        ]
    )

    private static let envelope = KeyTable(
        "an envelope's encoding",
        [
            Key(
                "envelope",
                .choice(["json", "avro", "json_schema"]),
                "A list of events in each message, in a format.",
                isRequired: true
            ),
            key, framing, schemaKey,
        ]
    )

    private static let key = Key(
        "key",
        .either([
            .choice(["none", "plain", "message"]),
            .keys(
                KeyTable(
                    "key",
                    [
                        Key("field", .text, "A field of the record."),
                        Key("schema", schema, "An Avro schema, whose fields are taken from the record."),
                    ]
                )
            ),
        ]),
        "What messages' keys are. `plain`, the primary key as text, by default."
    )

    private static let framing = Key(
        "framing",
        .choice(["registry", "bare", "single_object", "container"]),
        "What names the schema. `registry` by default."
    )

    private static let schemaKey = Key("schema", schema, "The schema. Derived from the declaration by default.")

    private static let schema = Shape.either([
        .text,
        .keys(
            KeyTable(
                "a schema",
                [
                    Key("name", .text, "The name of an Avro schema with its namespace.", isRequired: true),
                    Key("folder", .text, "The folder that has it as `com/example/Rental.avsc`.", isRequired: true),
                ]
            )
        ),
    ])

    static let rows = KeyTable(
        "rows",
        [
            Key("key", .text, "The column that identifies records. `id`, or the only column of the key, by default."),
            Key(
                "columns",
                .named("columns", .text),
                "What numbers and texts hold that come without a schema: "
                    + "\(DebeziumColumnType.names.map { "`\($0)`" }.joined(separator: ", ")), or `decimal(2)` with its scale."
            ),
            Key(
                "order",
                .choice(DebeziumColumnType.orders.map(\.name)),
                "What tells which of two states of a row is newer. `position` by default."
            ),
            Key("unavailable_value", .text, "What stands for a value that Debezium doesn't know."),
        ]
    )
}
