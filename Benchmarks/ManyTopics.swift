import Dionysus
import DionysusPostgres
import DionysusProducer

extension Benchmark {
    /// Many declared topics with many partitions, of which only one has rows to publish.
    static let growthTopics = Benchmark(
        name: "growth-topics",
        figures: [
            Figure(name: "backlog of 240,000 changes in the only topic, 100 partitions", unit: "records/s"),
            Figure(name: "the same beside 99 idle topics, 100 partitions each", unit: "records/s"),
            Figure(name: "small by large", unit: "times", targets: [.atMost(1.1)]),
            Figure(name: "from the start of the relay to its first acknowledgement, the only topic", unit: "s"),
            Figure(name: "the same beside 99 idle topics", unit: "s"),
            Figure(name: "first messages of 100 new topics, created at the start in one request", unit: "s"),
            Figure(name: "the same, created by their first messages", unit: "s"),
        ],
        run: {
            let small = try await drainOneTopic(of: 1)
            let large = try await drainOneTopic(of: 100)
            return [
                small.rate, large.rate, small.rate / large.rate, small.start, large.start,
                try await firstMessages(created: true),
                try await firstMessages(created: false),
            ]
        }
    )

    private static let changes = 240_000

    /// Records per second from a backlog in the first of several topics, which exist by then, and the seconds until the first
    /// are acknowledged.
    private static func drainOneTopic(of count: Int) async throws -> (rate: Double, start: Double) {
        var settings = ProducerSettings()
        settings.topics.partitions = 100
        settings.createsTopics = true
        return try await withManyTopics(count, settings, rows: changes) { registry, database in
            try await withKafka { broker in
                try await fill(database, ThingModel.all[0], topic: 0, changes: 1)
                _ = try await secondsToDrain(registry, database, broker, settings)
                try await fill(database, ThingModel.all[0], topic: 0, changes: changes)
                try await settle(database)
                let pace = Pace()
                let start = Timestamp.now
                _ = try await secondsToDrain(registry, database, broker, settings, onPublished: pace.add)
                return (1_000 / pace.time(of: 1, from: 0, to: 1), pace.secondsToFirst(since: start))
            }
        }
    }

    /// The seconds until the first change of each of 100 topics is published.
    private static func firstMessages(created: Bool) async throws -> Double {
        var settings = ProducerSettings()
        settings.topics.partitions = 100
        settings.createsTopics = created
        return try await withManyTopics(100, settings, rows: 1) { registry, database in
            for topic in 0..<100 { try await fill(database, ThingModel.all[topic], topic: topic, changes: 1) }
            try await settle(database)
            return try await withKafka { try await secondsToDrain(registry, database, $0, settings) }
        }
    }

    private static func withManyTopics<T: Sendable>(
        _ count: Int,
        _ settings: ProducerSettings,
        rows: Int,
        _ body: (Registry, PostgresDatabase) async throws -> T
    ) async throws -> T {
        try await withDatabase { database in
            let models = Array(ThingModel.all.prefix(count))
            let registry = Registry(ManyTopicSync(models: models), settings: settings)
            try await createTables(of: models, in: database, rows: rows)
            try await OutboxSchema(database: database, registry: registry).migrate(lanes: settings.lanes)
            return try await body(registry, database)
        }
    }

    private static func fill(_ database: PostgresDatabase, _ model: ThingModel, topic: Int, changes: Int) async throws {
        _ = try await database.transaction(.write) { transaction in
            try transaction.run(
                """
                INSERT INTO dionysus_outboxes (resource_class, resource_id, event_name, topic, created_at, updated_at)
                SELECT \(model.name), i::text, \(model.name.lowercased() + "_updated"), \("v3_things\(topic)"),
                  now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC'
                FROM generate_series(1, \(changes)) i
                """
            )
        }
    }
}

/// A topic for each model.
private struct ManyTopicSync: Producer {
    let models: [ThingModel]

    var namespaces: [Namespace] {
        Namespace("v3", serializers: Serializers { for model in models { model.serializer } }) {
            for (number, model) in models.enumerated() {
                Topic("things\(number)", partitionKey: .messageKey) { model.publication }
            }
        }
    }
}
