import ArgumentParser
import Dionysus
import DionysusConsumer
import DionysusProducer
import ServiceLifecycle

struct ExportCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "export",
            abstract: "Writes a model's records, or a topic's messages, to files.",
            discussion: """
                With a model's name, the records of the source as they would be published now, without those that are \
                soft-deleted. With a topic's full name, the messages that the topic holds.

                A file is complete or absent. An export that was interrupted goes on where it was if the command is \
                repeated. At the end, manifest.json lists the files with their counts and SHA-256 digests.

                In records, links stand beside the attributes, as NAME_id, NAME_type and NAME_ids. In CSV, lists and nested \
                records are JSON.
                """
        )
    }

    @Argument(help: "A model's name, Rental, or a topic's full name, v3_rentals.") var source: String
    @Option(help: ArgumentHelp("The directory for the files.", valueName: "directory")) var to: String
    @Option(help: "The format: jsonl or csv.") var format = ExportFormat.jsonl
    @Option(help: "Separate files by day: of the last update, or of the message; in UTC.") var by: Division?
    @Option(
        name: .customLong("in"),
        help: ArgumentHelp("The topic whose payloads are exported, if several publish the model.", valueName: "topic")
    )
    var topic: String?
    @Option(help: "Only what was updated or sent at this time or later, ISO 8601.", transform: time) var from:
        Timestamp?
    @Option(help: "Only what was updated or sent before this time, ISO 8601.", transform: time) var until: Timestamp?
    @Flag(help: "Include soft-deleted records.") var withSoftDeleted = false
    @Flag(help: "Print the manifest as JSON.") var json = false

    enum Division: String, ExpressibleByArgument, CaseIterable {
        case day
    }

    func validate() throws {
        if let from, let until, from >= until { throw ValidationError("--from must be before --until.") }
    }

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        let publishing = App.hasProducer ? environment.registry.topics(publishing: source) : []
        let manifest =
            if publishing.isEmpty { try await exportTopic(environment) } else {
                try await exportModel(environment, publishedIn: publishing)
            }
        print(json ? manifest.text : Self.text(manifest, to))
    }

    // MARK: Models

    private func exportModel(_ environment: ApplicationEnvironment<App>, publishedIn topics: [String]) async throws
        -> JSON
    {
        if topics.count > 1, topic == nil {
            throw DionysusError(
                .configuration,
                "\(source) is published in several topics: \(topics.joined(separator: ", "))",
                advice: "choose one with --in TOPIC"
            )
        }
        let topic = topic ?? topics[0]
        let contract = try environment.registry.contract.topics.first { $0.name == topic }
        guard let model = contract?.models.first(where: { $0.name == source }) else {
            throw DionysusError(
                .notFound,
                "topic \(topic) does not publish a model \(source)",
                advice: "it is published in \(topics.joined(separator: ", "))"
            )
        }
        let database = try environment.source()
        do {
            let pages = try await RecordExport(
                source,
                in: topic,
                environment.registry,
                database: database,
                settings: environment.settings.producer,
                selecting: GenesisSelection(from: from, to: until, visibleOnly: !withSoftDeleted)
            )
            let export = ModelExport(pages: pages, model: model)
            let directory = try ExportDirectory(to, for: request(["model": .string(source), "topic": .string(topic)]))
            let manifest = try await write(export.columns, directory) { writer in
                try await export.run(from: directory.position, into: &writer)
            }
            await database.close()
            return manifest
        } catch {
            await database.close()
            throw error
        }
    }

    // MARK: Topics

    private func exportTopic(_ environment: ApplicationEnvironment<App>) async throws -> JSON {
        let broker = try environment.broker()
        do {
            guard try await !broker.describeTopics([source]).isEmpty else {
                throw DionysusError(
                    .notFound,
                    "\(source) is neither a published model nor a topic of the broker",
                    advice: "`describe` shows the models, and `topics` the topics"
                )
            }
            let directory = try ExportDirectory(to, for: request(["topic": .string(source)]))
            let export = TopicExport(
                reading: TopicReading(
                    topic: source,
                    partition: nil,
                    start: .place(from.map { .time($0) } ?? .earliest),
                    follows: false,
                    broker: broker,
                    settings: environment.settings.consumer,
                    needsRegistry: true
                ),
                until: until
            )
            let manifest = try await write(TopicExport.columns, directory) { writer in
                try await export.run(from: directory.position, into: &writer)
            }
            await broker.close()
            return manifest
        } catch {
            await broker.close()
            throw error
        }
    }

    // MARK: Files

    /// What was asked for, as the manifest has it.
    private func request(_ subject: JSON.Object) -> JSON.Object {
        var request = subject
        request["format"] = .string(format.rawValue)
        request["by"] = by.map { .string($0.rawValue) } ?? .null
        request["from"] = from.map { .string($0.description) } ?? .null
        request["until"] = until.map { .string($0.description) } ?? .null
        request["soft_deleted"] = .bool(withSoftDeleted)
        return request
    }

    private func write(
        _ columns: [String],
        _ directory: ExportDirectory,
        _ body: (inout ExportWriter) async throws -> Void
    ) async throws -> JSON {
        if directory.isResumed { printError("goes on with the export that was started at \(directory.startedAt)") }
        var writer = ExportWriter(directory, name: source, format: format, byDay: by == .day, columns: columns)
        try await body(&writer)
        return try writer.finish()
    }

    private static func text(_ manifest: JSON, _ directory: String) -> String {
        guard case .array(let entries)? = manifest["files"], !entries.isEmpty else {
            return "nothing to export; wrote \(directory)/\(ExportDirectory.manifestName)"
        }
        let files = entries.map { file in
            var name = ""
            if case .string(let text)? = file["name"] { name = text }
            return [name, file["records"]?.text ?? "", file["bytes"]?.text ?? ""]
        }
        return tableText(["FILE", "RECORDS", "BYTES"], files)
            + "\nwrote \(directory)/\(ExportDirectory.manifestName)"
    }
}
