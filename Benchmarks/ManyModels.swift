import Dionysus
import DionysusProducer
import DionysusSQLite

extension Benchmark {
    /// Interleaved rows of many models.
    static let growthModels = Benchmark(
        name: "growth-models",
        figures: modelFigures([.atLeast(35_000)]),
        run: {
            try await rates { models in
                try await withDatabase { database in
                    try await withKafka { try await drain(models, in: database, to: $0) }
                }
            }
        }
    )

    /// The same in SQLite.
    static let growthModelsSQLite = Benchmark(
        name: "growth-sqlite-models",
        figures: modelFigures([]),
        run: {
            try await rates { models in
                try await withTemporaryDirectory { directory in
                    let database = try SQLiteDatabase(path: directory + "/source.sqlite")
                    let rate = try await withEmbeddedLog { try await drain(models, in: database, to: $0) }
                    await database.close()
                    return rate
                }
            }
        }
    )

    private static func modelFigures(_ targets: [Target]) -> [Figure] {
        [
            Figure(name: "backlog of \(changes.formatted()) changes of one model", unit: "records/s"),
            Figure(name: "the same of 300 models, interleaved", unit: "records/s", targets: targets),
            Figure(name: "small by large", unit: "times"),
        ]
    }

    /// The rates for one and for many models, and their ratio.
    private static func rates(_ drain: ([ThingModel]) async throws -> Double) async throws -> [Double] {
        let rates = [
            try await drain(Array(ThingModel.all.prefix(1))), try await drain(Array(ThingModel.all.prefix(300))),
        ]
        return rates + [rates[0] / rates[1]]
    }
}

private let changes = 60_000

/// Records per second from a backlog in which consecutive changes belong to different models.
private func drain(
    _ models: [ThingModel],
    in database: any CapturingDatabase,
    to broker: any MessageBroker
) async throws -> Double {
    let registry = Registry(ManyModelSync(models: models))
    let rows = changes / models.count
    try await createTables(of: models, in: database, rows: rows)
    let settings = ProducerSettings()
    try await OutboxSchema(database: database, registry: registry).migrate(lanes: settings.lanes)
    let names = models.map { DatabaseValue.text($0.name) }
    let (dialect, now) = (database.dialect, database.dialect.now)
    let list = dialect.rows(
        [
            BulkColumn("position", .integer, names.indices.map { .integer(Int64($0)) }),
            BulkColumn("name", .text, names),
        ],
        alias: "m"
    )
    _ = try await database.transaction(.write) { transaction in
        try transaction.run(
            """
            \(series(rows))
            INSERT INTO dionysus_outboxes (resource_class, resource_id, event_name, topic, created_at, updated_at)
            SELECT m.name, CAST(i AS text), lower(m.name) || '_updated', 'v3_things', \(now), \(now)
            FROM series, \(list) ORDER BY i, m.position
            """
        )
    }
    try await settle(database)
    return Double(changes) / (try await secondsToDrain(registry, database, broker, settings))
}

/// The seconds in which a relay publishes everything that waits, from its start to its end.
func secondsToDrain(
    _ registry: Registry,
    _ database: any CapturingDatabase,
    _ broker: any MessageBroker,
    _ settings: ProducerSettings,
    onPublished: @escaping @Sendable (PublishedBatch) -> Void = { _ in }
) async throws -> Double {
    seconds(
        try await ContinuousClock()
            .measure { try await publishAll(of: registry, database, to: broker, settings, onPublished: onPublished) }
    )
}

func createTables(of models: [ThingModel], in database: any CapturingDatabase, rows: Int) async throws {
    _ = try await database.transaction(.write) { transaction in
        for model in models {
            try transaction.run([
                "CREATE TABLE \(identifier: model.table) (id bigint PRIMARY KEY, name text NOT NULL, amount int NOT NULL)",
                "\(series(rows)) INSERT INTO \(identifier: model.table) SELECT i, 'Number ' || i, i FROM series",
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
