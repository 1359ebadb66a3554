import Dionysus
import DionysusConsumer
import DionysusSchemas
import TestSupport

/// A replica of customers, and the messages that it reads.
struct DebeziumTrial: Sendable {
    private static let topic = "dbserver1.public.customers"

    let trial: FeedTrial
    var rows = DebeziumRows()
    var models: TopicModels = ["Customer"]

    struct Mirror: Consumer {
        let rows: DebeziumRows
        let accepted: TopicModels

        var namespaces: [Namespace] {
            Namespace("shop") {
                Topic(named: DebeziumTrial.topic, encoding: .debezium(rows), accepting: accepted)
            }
        }
    }

    func read(_ messages: (key: String?, value: String?)...) async throws {
        try await trial.send(
            messages.map { ($0.key.map { Array($0.utf8) }, $0.value.map { Array($0.utf8) }) },
            to: DebeziumTrial.topic
        )
        try await trial.consume(Mirror(rows: rows, accepted: models))
    }

    /// The customers, a line each.
    func customers() async throws -> [String] {
        try await trial.lines(
            trial.replica,
            "SELECT synced_id, first_name, email, synced_version FROM customers ORDER BY synced_id"
        )
    }

    func failures() async throws -> [String] {
        try await trial.lines(trial.replica, "SELECT error_message FROM dionysus_failures ORDER BY \"offset\"")
    }

    static func run(_ kind: TestDatabaseKind, _ body: (DebeziumTrial) async throws -> Void) async throws {
        try await FeedTrial.run(kind, .envelope) { trial in
            let key = kind == .postgres ? "bigserial PRIMARY KEY" : "integer PRIMARY KEY AUTOINCREMENT"
            _ = try await trial.replica.transaction(.write) { transaction in
                try transaction.run(
                    """
                    CREATE TABLE customers (id \(raw: key), synced_id bigint NOT NULL UNIQUE, synced_version bigint,
                      first_name text, email text, credit numeric(12,2), born date, joined_at timestamp, opens time,
                      profile \(raw: kind == .postgres ? "jsonb" : "json"))
                    """
                )
            }
            try await body(DebeziumTrial(trial: trial))
        }
    }
}
