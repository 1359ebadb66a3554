import Dionysus
import DionysusConsumer
import DionysusProducer

/// What runs, how it is set, what is declared, and whether all of it fits.
struct SystemReport: Sendable {
    /// A question that the system asks itself, and the answer.
    struct Check: Sendable {
        let name: String
        /// What is wrong, a line each; empty if all is well.
        let faults: [String]
        /// What may go wrong, a line each.
        let warnings: [String]
        /// What to do about it.
        let remedy: String

        static func all(of system: ObservedSystem, _ tables: [ConsoleTables]) async throws -> [Check] {
            var checks: [Check] = []
            if let side = system.producer {
                let schema = OutboxSchema(database: side.database, registry: side.registry)
                checks.append(
                    await check("the producer's declaration fits the source", "run migrate, or change the declaration")
                    {
                        (try await schema.validate(), try await schema.warnings())
                    }
                )
                checks.append(
                    await check("every model can be published", "mend what the reason says; the relay looks again") {
                        let refused = try await OutboxInspector(database: side.database).refusedModels()
                        return (refused.map { "\($0.modelName) in \($0.topic): \($0.reason)" }, [])
                    }
                )
            }
            if let side = system.consumer {
                checks.append(
                    await check("the consumer's declaration fits the replica", "run migrate, or change the tables") {
                        try await validate(side.consumer, side)
                    }
                )
            }
            if let broker = system.broker {
                checks.append(
                    await check(
                        "the broker has the topics as they are declared",
                        "run topics --create; change what differs"
                    ) {
                        let topics = try await TopicComparison.all(of: system, on: broker)
                        let differing = topics.flatMap { topic in
                            topic.differences.map {
                                "\(topic.name): \($0.setting) is \($0.actual), declared \($0.declared)"
                            }
                        }
                        // The first dead letter makes its topic.
                        let dead = Set(system.consumer?.outline.topics.compactMap(\.deadLetters) ?? [])
                        let missing = topics.filter { $0.partitions == nil }.map(\.name)
                        return (
                            missing.filter { !dead.contains($0) }.map { "there is no topic \($0)" },
                            differing
                                + missing.filter(dead.contains).map { "there is no topic \($0) for dead letters yet" }
                        )
                    }
                )
            }
            checks.append(
                await check("processes can write their figures, and actions are written down", "run migrate") {
                    var missing: [String] = []
                    for table in tables {
                        let isThere = try await table.database.transaction(.snapshot) { try table.exist(in: &$0) }
                        if !isThere { missing.append("\(table.database.location) lacks the console's tables") }
                    }
                    return (missing, [])
                }
            )
            return checks
        }

        private static func validate(
            _ consumer: some Consumer,
            _ side: ObservedSystem.ConsumerSide
        ) async throws -> (faults: [String], warnings: [String]) {
            let schema = ConsumerSchema(database: side.database)
            return (
                try await schema.validate(consumer, settings: side.settings),
                try await schema.warnings(consumer, settings: side.settings)
            )
        }

        private static func check(
            _ name: String,
            _ remedy: String,
            _ body: () async throws -> (faults: [String], warnings: [String])
        ) async -> Check {
            do {
                let (faults, warnings) = try await body()
                return Check(name: name, faults: faults, warnings: warnings, remedy: remedy)
            } catch {
                return Check(name: name, faults: ["\(error)"], warnings: [], remedy: remedy)
            }
        }

        var json: JSON {
            .object([
                "name": .string(name), "ok": .bool(faults.isEmpty), "faults": .array(faults.map(JSON.string)),
                "warnings": .array(warnings.map(JSON.string)), "remedy": .string(remedy),
            ])
        }
    }

    let processes: Reading<ProcessReport>
    let checks: Reading<[Check]>
    let topics: Reading<[TopicComparison]>?

    static func read(_ core: ConsoleCore) async -> SystemReport {
        async let processes = core.processes.reading()
        async let checks = core.checks.reading()
        async let topics = core.topics?.reading()
        return SystemReport(processes: await processes, checks: await checks, topics: await topics)
    }

    func json(_ core: ConsoleCore) -> JSON {
        .object([
            "name": .string(core.system.name), "version": .string(core.system.version),
            "read_only": .bool(core.settings.isReadOnly), "location": .string(core.system.location),
            "processes": processes.value?.json ?? .null,
            "checks": .array((checks.value ?? []).map(\.json)), "checks_problem": .init(checks.problem),
            "topics": .array((topics?.value ?? []).map(\.json)),
            "settings": .array(
                core.system.settings.map {
                    .object(["name": .string($0.name), "value": .string($0.value), "source": .string($0.source)])
                }
            ),
            "published": .array(
                core.system.publications.map { topic, model in
                    .object([
                        "topic": .string(topic), "model": .string(model.model), "table": .string(model.table),
                        "partition_key": .string(model.partitionKey),
                        "attributes": .array(model.attributes.map(JSON.string)),
                        "observes": .array(model.observations.map { .string($0.model) }),
                    ])
                }
            ),
            "replicas": .array(
                (core.system.consumer?.outline.replicas ?? [])
                    .map { replica in
                        .object([
                            "model": .string(replica.model), "table": .init(replica.table),
                            "storage": .string(replica.storage),
                            "options": .array(replica.options.map(JSON.string)),
                        ])
                    }
            ),
        ])
    }
}
