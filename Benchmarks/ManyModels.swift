import Dionysus
import DionysusPostgres
import DionysusProducer

extension Benchmark {
    /// Interleaved rows of many models.
    static let growthModels = Benchmark(
        name: "growth-models",
        figures: [
            Figure(name: "backlog of 60,000 changes of one model", unit: "records/s"),
            Figure(name: "the same of 300 models, interleaved", unit: "records/s", targets: [.atLeast(35_000)]),
            Figure(name: "small by large", unit: "times"),
        ],
        run: {
            let rates = [try await drainModels(1, changes: 60_000), try await drainModels(300, changes: 60_000)]
            return rates + [rates[0] / rates[1]]
        }
    )
}

/// Records per second from a backlog in which consecutive changes belong to different models.
private func drainModels(_ count: Int, changes: Int) async throws -> Double {
    try await withDatabase { database in
        let models = Array(ThingModel.all.prefix(count))
        let registry = Registry(ManyModelSync(models: models))
        try await createTables(of: models, in: database, rows: changes / count)
        let settings = ProducerSettings()
        try await OutboxSchema(database: database, registry: registry).migrate(lanes: settings.lanes)
        let names = models.map { DatabaseValue.text($0.name) }
        let list = database.dialect.rows(
            [
                BulkColumn("position", .integer, names.indices.map { .integer(Int64($0)) }),
                BulkColumn("name", .text, names),
            ],
            alias: "m"
        )
        _ = try await database.transaction(.write) { transaction in
            try transaction.run(
                """
                INSERT INTO dionysus_outboxes (resource_class, resource_id, event_name, topic, created_at, updated_at)
                SELECT m.name, i::text, lower(m.name) || '_updated', 'v3_things', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
                FROM generate_series(1, \(changes / count)) i, \(list) ORDER BY i, m.position
                """
            )
        }
        return Double(changes) / (try await withKafka { try await secondsToDrain(registry, database, $0, settings) })
    }
}

/// The seconds in which a relay publishes everything that waits, from its start to its end.
func secondsToDrain(
    _ registry: Registry,
    _ database: PostgresDatabase,
    _ broker: any MessageBroker,
    _ settings: ProducerSettings
) async throws -> Double {
    try await database.outsideTransaction("VACUUM ANALYZE")
    try await database.outsideTransaction("CHECKPOINT")
    let relay = RelayService(
        registry,
        database: database,
        broker: broker,
        settings: settings,
        mode: .untilEmpty,
        logger: quiet
    )
    return seconds(try await ContinuousClock().measure { try await relay.run() })
}

func createTables(of models: [ThingModel], in database: PostgresDatabase, rows: Int) async throws {
    _ = try await database.transaction(.write) { transaction in
        for model in models {
            try transaction.run([
                "CREATE TABLE \(identifier: model.table) (id bigint PRIMARY KEY, name text NOT NULL, amount int NOT NULL)",
                "INSERT INTO \(identifier: model.table) SELECT i, 'Number ' || i, i FROM generate_series(1, \(rows)) i",
            ])
        }
    }
}

/// A model for each pair of letters.
private struct Thing<First: Letter, Second: Letter>: Model {
    var id: Int
    var name: String
    var amount: Int

    enum CodingKeys: String, CodingKey { case id, name, amount }

    static var modelName: String { "Thing" + First.text + Second.text }
    static var tableName: String { modelName.lowercased() }
}

private protocol Letter: Sendable { static var text: String { get } }
private enum A: Letter { static let text = "a" }
private enum B: Letter { static let text = "b" }
private enum C: Letter { static let text = "c" }
private enum D: Letter { static let text = "d" }
private enum E: Letter { static let text = "e" }
private enum F: Letter { static let text = "f" }
private enum Pair<First: Letter, Second: Letter>: Letter { static var text: String { First.text + Second.text } }

/// A model identified by its letters.
struct ThingModel: Sendable {
    let name: String
    let table: String
    let publication: PublishedModel
    let serializer: any ModelSerializer

    private init<First: Letter, Second: Letter>(_: First.Type, _: Second.Type) {
        let model = Thing<First, Second>.self
        name = model.modelName
        table = model.tableName
        publication = Publish(model).element
        serializer = Whole(model)
    }

    static let all: [ThingModel] = {
        let letters: [any Letter.Type] = [A.self, B.self, C.self, D.self, E.self, F.self]
        let pairs = letters.flatMap { first in letters.map { pair(first, $0) } }
        return pairs.flatMap { first in pairs.map { of(first, $0) } }
    }()

    private static func pair<First: Letter, Second: Letter>(_: First.Type, _: Second.Type) -> any Letter.Type {
        Pair<First, Second>.self
    }

    private static func of<First: Letter, Second: Letter>(_ first: First.Type, _ second: Second.Type) -> ThingModel {
        ThingModel(first, second)
    }
}

private struct ManyModelSync: Producer {
    let models: [ThingModel]

    var namespaces: [Namespace] {
        Namespace("v3", serializers: Serializers { for model in models { model.serializer } }) {
            Topic("things", partitionKey: .messageKey) { for model in models { model.publication } }
        }
    }
}
