import ArgumentParser
import Dionysus
import DionysusConsumer
import DionysusProducer

struct VerificationRepairCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "repair",
            abstract: "Repairs what a run has found: publishes records again, and removes rows without a record.",
            discussion: """
                Needs the replica's database. Rows that are too many are removed there, unless a newer message has \
                written them since. What is missing, stale or unreadable is published again through the outbox if the \
                source's database can be reached too; otherwise the records' ids are printed, for \
                `verification publish TOPIC MODEL ID…` beside the source.
                """
        )
    }

    @Argument(help: "The run's number.") var id: Int64
    @Flag(help: "Only print what would be done.") var dryRun = false
    @Flag(help: "Print the result as JSON.") var json = false

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        try environment.settings.require([.replica])
        let repairs = try await environment.withSides { try await $0.repair(id, dryRun: dryRun) }
        print(
            json
                ? JSON.array(repairs.map { $0.json(dryRun: dryRun) }).text
                : repairs.map { $0.text(dryRun: dryRun) }.joined(separator: "\n")
        )
    }
}

struct VerificationPublishCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "publish",
            abstract: "Publishes records again, as a repair does where both databases can be reached."
        )
    }

    @Argument(help: "The topic's full name.") var topic: String
    @Argument(help: "The model's name.") var model: String
    @Argument(help: "The records' primary keys.") var ids: [String]

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        try environment.settings.require([.source])
        let count = try await environment.withSides { sides in
            try await sides.source().publish(topic: topic, model: model, ids: ids)
        }
        print("\(count) of \(ids.count) records will be published again")
    }
}

extension VerificationSides {
    /// Repairs what a run has found.
    func repair(_ id: Int64, dryRun: Bool) async throws -> [ReplicaRepair] {
        let replica = try replica()
        let runs = try await replica.runs(number: id).filter { $0.state != .cancelled }
        guard !runs.isEmpty else {
            throw DionysusError(
                .notFound,
                "the consumer has heard of no verification run \(id)",
                advice: "list the runs; a consumer has to read what a run publishes"
            )
        }
        var repairs: [ReplicaRepair] = []
        for run in runs {
            if hasSource {
                let source = try source()
                repairs.append(
                    try await replica.repair(run, dryRun: dryRun) {
                        try await source.publish(topic: $0, model: $1, ids: $2)
                    }
                )
            } else {
                repairs.append(try await replica.repair(run, dryRun: dryRun, publishing: nil))
            }
        }
        return repairs
    }
}

extension ReplicaRepair {
    fileprivate func json(dryRun: Bool) -> JSON {
        func lists(_ ids: [String: [String]]) -> JSON {
            .object(
                JSON.Object(ids.sorted { $0.key < $1.key }.map { .init($0.key, .array($0.value.map(JSON.string))) })
            )
        }
        return .object([
            "topic": .string(topic), "dry_run": .bool(dryRun), "extra": lists(extra),
            "removed": .integer(Int64(removed)), "records": lists(records),
            "published": published.map { .integer(Int64($0)) } ?? .null,
        ])
    }

    fileprivate func text(dryRun: Bool) -> String {
        guard extraCount + recordCount > 0 else { return "\(topic): there is nothing to repair".printable() }
        func lines(_ verb: String, _ ids: [String: [String]]) -> [String] {
            ids.sorted { $0.key < $1.key }.map { "\(verb) \($0): \($1.joined(separator: " "))" }
        }
        var text: [String]
        if dryRun {
            text = [topic] + lines("would remove", extra) + lines("would publish again", records)
        } else {
            text = ["\(topic): removed \(removed) of \(extraCount) rows without a record"]
            if let published {
                text.append("publishes \(published) of \(recordCount) records again; the relay sends them")
            } else if recordCount > 0 {
                text += records.sorted { $0.key < $1.key }
                    .map { "beside the source: verification publish \(topic) \($0) \($1.joined(separator: " "))" }
            }
        }
        return text.map { $0.printable() }.joined(separator: "\n")
    }
}
