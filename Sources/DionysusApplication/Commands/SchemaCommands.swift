import ArgumentParser
import Dionysus
import DionysusConsumer
public import DionysusProducer
import DionysusSchemas

#if Monitoring
import DionysusConsole
#endif

struct MigrateCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "migrate",
            abstract: "Creates or upgrades tables and triggers in the databases; safe to repeat."
        )
    }

    @Flag(help: "Print what would change in the source database's outbox and triggers, and change nothing.")
    var dryRun = false

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        let report = dryRun ? try await environment.plannedMigration() : try await environment.migrate()
        for warning in report.warnings { printError("warning: \(warning)") }
        for change in report.changes { print(dryRun ? "would have \(change)" : change) }
        if dryRun {
            if report.changes.isEmpty { print("nothing would change") }
        } else {
            print("migrated \(environment.locations)")
        }
    }
}

struct UninstallCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "uninstall",
            abstract:
                "Removes the library's tables and triggers from the databases; the application's own tables stay.",
            discussion: "Refused while the outbox has unpublished rows."
        )
    }

    @Flag(help: "Uninstall even if the outbox has unpublished rows, which are lost.") var force = false

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        try await environment.uninstall(force: force)
        print("uninstalled from \(environment.locations)")
    }
}

struct ValidateCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "validate",
            abstract: "Reports where the declaration does not fit the databases."
        )
    }

    @Flag(help: "Print the report as JSON.") var json = false
    @Flag(help: "Count warnings and notes as faults.") var strict = false

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        var findings = try await environment.validate()
        if strict {
            findings.faults += findings.warnings + findings.notes
            (findings.warnings, findings.notes) = ([], [])
        }
        let isValid = findings.faults.isEmpty
        if json {
            print(
                JSON.object([
                    "valid": .bool(isValid), "faults": .array(findings.faults.map(JSON.string)),
                    "warnings": .array(findings.warnings.map(JSON.string)),
                    "notes": .array(findings.notes.map(JSON.string)),
                    "derived": .array(findings.derived.map(JSON.string)),
                ])
                .text
            )
        } else {
            if isValid {
                print("the declaration fits \(App.hasProducer && App.hasConsumer ? "both databases" : "the database")")
            }
            for observer in findings.derived { print(observer) }
            for fault in findings.faults { printError("- \(fault)") }
            for warning in findings.warnings { printError("- warning: \(warning)") }
            for note in findings.notes { printError("- note: \(note)") }
        }
        if !isValid { throw ExitCode.failure }
    }
}

/// The findings of a comparison of the declaration with the databases, one line each.
struct Findings: Sendable {
    /// Problems that make every row fail.
    var faults: [String] = []
    /// Problems that make some rows fail.
    var warnings: [String] = []
    /// Attributes that are published but not stored, or stored but not published.
    var notes: [String] = []
    /// What SQL attributes observe, as the source database derives it.
    var derived: [String] = []
}

extension ApplicationEnvironment {
    /// The addresses of the application's databases, for messages.
    var locations: String {
        let addresses = Address.all(of: App.self).filter { $0 != .broker }
        return addresses.map { shownURL(settings[keyPath: $0.path]) }.joined(separator: " and ")
    }

    /// Checks that the addresses of the application's databases are set.
    private func requireDatabases() throws {
        try settings.require(Address.all(of: App.self).filter { $0 != .broker })
    }

    /// Creates or upgrades tables and triggers in the databases of the application's sides; safe to repeat.
    /// - Returns: The changes to the source database's outbox and triggers, and to managed tables of the replica.
    @discardableResult
    public func migrate() async throws -> OutboxSchema.Report {
        try requireDatabases()
        let application = application
        var report = OutboxSchema.Report()
        if App.hasProducer {
            let source = try source()
            try await source.exclusively("application:migrate") { try application.migrateSource(&$0) }
            report = try await OutboxSchema(database: source, registry: registry)
                .migrate(lanes: settings.producer.lanes)
            #if Monitoring
            try await ConsoleTables(source: source).migrate()
            #endif
            await source.close()
        }
        if App.hasConsumer {
            let replica = try replica()
            try await replica.exclusively("application:migrate") { try application.migrateReplica(&$0) }
            let schema = ConsumerSchema(database: replica)
            try await schema.migrate()
            #if Monitoring
            try await ConsoleTables(replica: replica).migrate()
            #endif
            if settings.consumer.replicaTables == .managed {
                let contract = try consumedContract
                let consumer = application.consumer
                report.changes += try await schema.migrateReplica(to: contract, consumer, settings: settings.consumer)
            }
            await replica.close()
        }
        return report
    }

    /// The contract of the consumed topics: from the settings, otherwise from the application's own producer.
    private var consumedContract: Contract {
        get throws {
            if let contract = settings.consumer.contract { return contract }
            guard App.hasProducer else {
                throw DionysusError(
                    .configuration,
                    "the replica's tables are managed, but there is no contract to create them from",
                    advice: "set DIONYSUS_CONTRACT to a file that the producer's `contract --write FILE` wrote"
                )
            }
            return try registry.contract
        }
    }

    /// The changes that ``migrate()`` would make to the source database's outbox and triggers.
    func plannedMigration() async throws -> OutboxSchema.Report {
        try requireDatabases()
        guard App.hasProducer else { return OutboxSchema.Report() }
        let source = try source()
        let report = try await OutboxSchema(database: source, registry: registry)
            .plannedMigration(lanes: settings.producer.lanes)
        await source.close()
        return report
    }

    func uninstall(force: Bool) async throws {
        try requireDatabases()
        if App.hasProducer {
            let source = try source()
            try await OutboxSchema(database: source, registry: registry).uninstall(discardsUnpublished: force)
            #if Monitoring
            try await ConsoleTables(source: source).uninstall()
            #endif
            await source.close()
        }
        if App.hasConsumer {
            let replica = try replica()
            try await ConsumerSchema(database: replica).uninstall()
            #if Monitoring
            try await ConsoleTables(replica: replica).uninstall()
            #endif
            await replica.close()
        }
    }

    func validate() async throws -> Findings {
        try requireDatabases()
        var findings = Findings()
        if App.hasProducer {
            let source = try source()
            let outbox = OutboxSchema(database: source, registry: registry)
            findings.faults += try await outbox.validate().map { "source: \($0)" }
            findings.faults += application.producer.topicFaults(settings.producer).map { "source: \($0)" }
            findings.warnings += try await outbox.warnings().map { "source: \($0)" }
            findings.derived = try await outbox.derivedObservers()
            await source.close()
        }
        if App.hasConsumer {
            let replica = try replica()
            let schema = ConsumerSchema(database: replica)
            let (consumer, settings) = (application.consumer, settings.consumer)
            findings.faults += try await schema.validate(consumer, settings: settings).map { "replica: \($0)" }
            findings.warnings += try await schema.warnings(consumer, settings: settings).map { "replica: \($0)" }
            let misfits = try await schema.misfits(consumer, of: published, settings: settings)
            findings.faults += misfits.faults.map { "replica: \($0)" }
            findings.warnings += misfits.warnings.map { "replica: \($0)" }
            findings.notes += try await schema.notes(consumer, on: published, settings: settings)
                .map { "replica: \($0)" }
            await replica.close()
        }
        return findings
    }

    /// What is published, for comparison with the replica: as the contract says that the settings name, and else as the
    /// application's own producer declares.
    private var published: [PublishedAttributes] {
        let contract = settings.consumer.contract?.topics ?? []
        let contracted = contract.flatMap { topic in
            topic.models.map { PublishedAttributes(topic: topic.name, model: $0) }
        }
        guard App.hasProducer else { return contracted }
        let others = registry.outline.filter { topic in !contract.contains { $0.name == topic.name } }
        return contracted
            + others.flatMap { topic in
                topic.models.map { model in
                    PublishedAttributes(
                        topic: topic.name,
                        model: model.model,
                        attributes: model.attributes,
                        links: model.links,
                        kinds: model.kinds
                    )
                }
            }
    }
}
