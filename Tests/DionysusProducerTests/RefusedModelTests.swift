import Dionysus
import TestSupport
import Testing

@testable import DionysusProducer

/// Models of which nothing can be loaded, beside others in the same lanes.
@Suite(.timeLimit(.minutes(10))) struct RefusedModelTests {
    struct Alpha: Model {
        var id: Int
        var label: String

        enum CodingKeys: String, CodingKey { case id, label }
        static let tableName = "alphas"
        static let betas = hasMany(Beta.self, by: .alphaID)
    }

    struct Beta: Model {
        var id: Int
        var label: String
        var alphaID: Int?

        enum CodingKeys: String, CodingKey {
            case id, label
            case alphaID = "alpha_id"
        }
        static let tableName = "betas"
    }

    struct Gamma: Model {
        var id: Int
        var label: String

        enum CodingKeys: String, CodingKey { case id, label }
        static let tableName = "gammas"
    }

    struct Sync: Producer {
        var namespaces: [Namespace] {
            Namespace(
                "v1",
                serializers: Serializers {
                    Whole(Alpha.self); Whole(Beta.self); Whole(Gamma.self)
                }
            ) {
                Topic("things", partitionKey: .messageKey) {
                    Publish(Alpha.self)
                    Publish(Beta.self)
                    Publish(Gamma.self)
                }
            }
        }
    }

    /// A change to an alpha publishes its betas.
    struct ObservingSync: Producer {
        var namespaces: [Namespace] {
            Namespace(
                "v1",
                serializers: Serializers {
                    Whole(Gamma.self); Whole(Beta.self)
                }
            ) {
                Topic("things", partitionKey: .messageKey) {
                    Publish(Gamma.self)
                    Publish(Beta.self).observing(Alpha.self, .label, through: Alpha.betas)
                }
            }
        }
    }

    static let tables = [
        "CREATE TABLE alphas (id integer PRIMARY KEY, label text NOT NULL)",
        "CREATE TABLE betas (id integer PRIMARY KEY, label text NOT NULL, alpha_id integer)",
        "CREATE TABLE gammas (id integer PRIMARY KEY, label text NOT NULL)",
    ]

    /// 28 records of each model.
    static let records = ["alphas", "betas", "gammas"]
        .map { table in
            let rows = (1...28).map { "(\($0), 'x')" }.joined(separator: ", ")
            return "INSERT INTO \(table) (id, label) VALUES \(rows)" as String
        }

    @Test(
        "a renamed column holds up its model's rows only, is reported with model and column, and nothing has to be restarted",
        arguments: TestDatabaseKind.available
    )
    func renamed(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.pollInterval = .milliseconds(20)
        try await ProducerHarness.run(kind, tables: Self.tables, settings: settings, producer: Sync()) { harness in
            let (problems, continuation) = AsyncStream.makeStream(of: String?.self)
            var instrumentation = Instrumentation()
            instrumentation.heartbeat = Watch { if $0.state == .ready { continuation.yield($0.problem) } }
            instrumentation.errorHandler = Collected<ErrorContext>()
            let relay = harness.relayService(instrumentation, mode: .continuous)
            try await harness.withService(relay) {
                var iterator = problems.makeAsyncIterator()
                _ = await iterator.next()
                try await harness.write("ALTER TABLE betas RENAME COLUMN label TO labels")
                for statement in Self.records {
                    try await harness.write(
                        SQL(raw: statement.replacing("betas (id, label)", with: "betas (id, labels)"))
                    )
                }
                var told: String?
                while told == nil, let problem = await iterator.next() { told = problem }
                let problem = try #require(told)
                #expect(problem.contains("model Beta") && problem.contains("v1_things") && problem.contains("label"))
                while !Task.isCancelled, try await harness.pending().count > 28 { await Task.yield() }
                #expect(try await harness.pending().allSatisfy { $0.contains(" Beta:") })
                let refused = try await OutboxInspector(database: harness.database).refusedModels()
                #expect(refused.map(\.modelName) == ["Beta"] && refused.first?.topic == "v1_things")
                #expect(refused.first?.reason.contains("label") == true)
                // No attempt was counted: it is not the rows' fault.
                #expect(try await OutboxInspector(database: harness.database).entries().allSatisfy { $0.attempts == 0 })

                try await harness.write("ALTER TABLE betas RENAME COLUMN labels TO label")
                while !Task.isCancelled, try await !harness.pending().isEmpty { await Task.yield() }
                while let problem = await iterator.next(), problem != nil {}
                #expect(try await OutboxInspector(database: harness.database).refusedModels().isEmpty)
            }
            #expect(Set(try await harness.messages(in: "v1_things").map(\.key)).count == 84)
        }
    }

    @Test(
        "rows behind one of a refused model wait with it where the partition key is held, and others go on",
        arguments: TestDatabaseKind.available,
        HoldPolicy.allCases
    )
    func policies(_ kind: TestDatabaseKind, _ policy: HoldPolicy) async throws {
        struct OneKey: Producer {
            var namespaces: [Namespace] {
                Namespace(
                    "v1",
                    serializers: Serializers {
                        Whole(Alpha.self); Whole(Beta.self)
                    }
                ) {
                    Topic("things", partitionKey: "label") {
                        Publish(Alpha.self)
                        Publish(Beta.self)
                    }
                }
            }
        }
        var settings = ProducerSettings()
        settings.onFailure = policy
        settings.lanes = 1
        try await ProducerHarness.run(kind, tables: Self.tables, settings: settings, producer: OneKey()) { harness in
            let pipeline = try await harness.pipeline()
            try await harness.write(
                "INSERT INTO alphas (id, label) VALUES (1, 'x')",
                "INSERT INTO betas (id, label) VALUES (1, 'x')",
                "INSERT INTO alphas (id, label) VALUES (2, 'x'), (3, 'y')",
                "ALTER TABLE betas RENAME COLUMN alpha_id TO alphas_id"
            )
            // In the second batch the model is known to be refused.
            try await pipeline.publishAllLanes()
            try await harness.write("INSERT INTO alphas (id, label) VALUES (4, 'x')")
            try await pipeline.publishAllLanes()
            let keys = try await harness.messages(in: "v1_things").map(\.key).sorted()
            #expect(
                keys
                    == (policy == .holdPartitionKey
                        ? ["Alpha:1", "Alpha:3"] : ["Alpha:1", "Alpha:2", "Alpha:3", "Alpha:4"])
            )
        }
    }

    @Test(
        "one record that can't be loaded fails alone",
        arguments: TestDatabaseKind.available.filter { $0 == .postgres }
    )
    func oneRecord(_ kind: TestDatabaseKind) async throws {
        let tables =
            Self.tables + [
                "ALTER TABLE alphas RENAME TO stored",
                "CREATE FUNCTION checked(integer) RETURNS text LANGUAGE sql AS $$ SELECT (10 / ($1 - 7))::text $$",
            ]
        try await ProducerHarness.run(
            kind,
            tables: tables + Self.view,
            settings: ProducerSettings(),
            producer: ViewSync()
        ) {
            harness in
            try await harness.write(
                """
                INSERT INTO dionysus_outboxes (resource_class, resource_id, event_name, topic, created_at, updated_at)
                SELECT 'Seen', n::text, 'seen_created', 'v1_seen', now(), now() FROM generate_series(1, 20) n
                """
            )
            try await harness.relay()
            let keys = try await harness.messages(in: "v1_seen").map(\.key)
            #expect(keys.count == 19 && !keys.contains("Seen:7"))
            let failed = try await OutboxInspector(database: harness.database).entries(OutboxFilter(scope: .failed))
            #expect(failed.map(\.recordID) == ["7"] && failed.first?.attempts == 1)
            #expect(failed.first?.errorMessage?.contains("Seen:7 can't be loaded") == true)
        }
    }

    static let view = [
        "INSERT INTO stored (id, label) SELECT n, 'x' FROM generate_series(1, 20) n",
        "CREATE VIEW seens AS SELECT id, checked(id) AS label FROM stored",
    ]

    struct Seen: Model {
        var id: Int
        var label: String

        enum CodingKeys: String, CodingKey { case id, label }
        static let captureMethod = CaptureMethod.application
    }

    struct ViewSync: Producer {
        var namespaces: [Namespace] {
            Namespace("v1", serializers: Serializers { Whole(Seen.self) }) { Topic("seen") { Publish(Seen.self) } }
        }
    }

    @Test(
        "what is observed waits while its observers can't be found, and the rest goes on",
        arguments: TestDatabaseKind.available
    )
    func expansion(_ kind: TestDatabaseKind) async throws {
        var settings = ProducerSettings()
        settings.lanes = 1
        try await ProducerHarness.run(
            kind,
            tables: Self.tables,
            settings: settings,
            producer: ObservingSync()
        ) { harness in
            let pipeline = try await harness.pipeline()
            try await harness.write(
                "INSERT INTO alphas (id, label) VALUES (1, 'x')",
                "INSERT INTO betas (id, label, alpha_id) VALUES (1, 'x', 1)",
                "DELETE FROM dionysus_outboxes",
                "UPDATE alphas SET label = 'y'",
                "INSERT INTO gammas (id, label) VALUES (1, 'x')",
                "ALTER TABLE betas RENAME COLUMN alpha_id TO alphas_id"
            )
            for _ in 1...2 { try await pipeline.publishAllLanes() }
            #expect(try await harness.events(in: "v1_things") == ["gamma_created Gamma:1"])
            #expect(try await harness.pending() == ["alpha_updated Alpha:1 __outbox_observer__ -"])
            #expect(pipeline.refusals.models.problem?.contains("Beta") == true)

            try await harness.write("ALTER TABLE betas RENAME COLUMN alphas_id TO alpha_id")
            while try await !harness.pending().isEmpty { try await pipeline.publishAllLanes() }
            #expect(pipeline.refusals.models.problem == nil)
            #expect(
                try await harness.events(in: "v1_things").sorted() == ["beta_updated Beta:1", "gamma_created Gamma:1"]
            )
        }
    }

    @Test(
        "a genesis run whose table is away waits, and goes on when it is back",
        arguments: TestDatabaseKind.available
    )
    func genesis(_ kind: TestDatabaseKind) async throws {
        try await ProducerHarness.run(
            kind,
            tables: Self.tables,
            settings: ProducerSettings(),
            producer: Sync()
        ) { harness in
            try await harness.write("INSERT INTO gammas (id, label) VALUES (1, 'x')", "DELETE FROM dionysus_outboxes")
            let run = try await harness.genesis.start(topic: "v1_things", model: "Gamma")
            try await harness.write("ALTER TABLE gammas RENAME COLUMN id TO ids")
            let worker = try await harness.genesisWorker()
            _ = try await worker.step()
            #expect(try await harness.genesis.run(run.id).state == .running)
            #expect(worker.refused.problem?.contains("genesis run \(run.id) of Gamma") == true)
            try await harness.write("ALTER TABLE gammas RENAME COLUMN ids TO id")
            try await harness.relay()
            #expect(try await harness.events(in: "v1_things") == ["gamma_updated Gamma:1"])
        }
    }

    @Test(
        "a linked record that can't be decoded is named in the error of the record that it is linked to",
        arguments: TestDatabaseKind.available
    )
    func linked(_ kind: TestDatabaseKind) async throws {
        let tables = [
            "CREATE TABLE lists (id integer PRIMARY KEY)",
            "CREATE TABLE items (id integer PRIMARY KEY, list_id integer NOT NULL, amount text)",
        ]
        try await ProducerHarness.run(kind, tables: tables, producer: ListSync()) { harness in
            try await harness.write(
                "INSERT INTO lists (id) VALUES (1)",
                "INSERT INTO items (id, list_id, amount) VALUES (5, 1, NULL)"
            )
            try await harness.relay()
            let failed = try await OutboxInspector(database: harness.database).entries(OutboxFilter(scope: .failed))
            let message = try #require(failed.first?.errorMessage)
            #expect(message.contains("List:1") && message.contains("Item:5"), "\(message)")
        }
    }

    struct List: Model {
        var id: Int
        enum CodingKeys: String, CodingKey { case id }
        static let items = hasMany(Item.self, by: .listID)
    }

    struct Item: Model {
        var id: Int
        var listID: Int
        var amount: String

        enum CodingKeys: String, CodingKey {
            case id, amount
            case listID = "list_id"
        }
    }

    struct ListSync: Producer {
        struct ListSerializer: ModelSerializer {
            var fields: Fields<List> {
                Attributes(.id)
                HasMany("items", List.items)
            }
        }

        var namespaces: [Namespace] {
            Namespace(
                "v1",
                serializers: Serializers {
                    ListSerializer(); Whole(Item.self)
                }
            ) {
                Topic("lists") { Publish(List.self, with: List.items) }
            }
        }
    }
}

/// Hands every sign of life to a test.
private struct Watch: Heartbeat {
    let onVital: @Sendable (VitalSign) -> Void

    init(_ onVital: @escaping @Sendable (VitalSign) -> Void) { self.onVital = onVital }

    func record(_ vital: VitalSign) { onVital(vital) }
}
