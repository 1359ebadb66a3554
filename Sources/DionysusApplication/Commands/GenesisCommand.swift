import ArgumentParser
import Dionysus
import DionysusProducer

struct GenesisCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "genesis",
            abstract: "Publishes existing records.",
            discussion: "Runs are stored in the database, and relays process them. See each command's help.",
            subcommands: [
                GenesisStartCommand<App>.self, GenesisListCommand<App>.self, GenesisShowCommand<App>.self,
                GenesisPauseCommand<App>.self, GenesisResumeCommand<App>.self, GenesisCancelCommand<App>.self,
            ]
        )
    }
}

struct GenesisStartCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "start",
            abstract: "Starts a run, which relays then process.",
            discussion: """
                TOPIC is the full name: v3_rentals publishes to that topic and its genesis replica, \
                v3_rentals_genesis to the replica alone.
                """
        )
    }

    @Argument(help: "The topic's full name.") var topic: String
    @Argument(help: "The model's name.") var model: String
    @Option(help: "Only records updated at this time or later, ISO 8601.", transform: time) var from: Timestamp?
    @Option(help: "Only records updated before this time, ISO 8601.", transform: time) var to: Timestamp?
    @Option(help: "Days over which to spread the run evenly: 2, or 0.5 for half a day.", transform: days)
    var over: Duration?
    @Option(
        name: .customLong("where"),
        help: "COLUMN=VALUE: only records with this value; may be repeated.",
        transform: condition
    )
    var conditions: [GenesisSelection.Condition] = []
    @Flag(help: "Only records that aren't soft-deleted.") var visibleOnly = false
    @Option(help: "The streamer, by its name in the declaration.") var streamer: String?
    @Flag(help: "Print the run as JSON.") var json = false

    func run() async throws {
        let selection = GenesisSelection(from: from, to: to, where: conditions, visibleOnly: visibleOnly)
        try await withGenesis(App.self) { genesis in
            let run = try await genesis.start(
                topic: topic,
                model: model,
                selecting: selection,
                over: over,
                streamer: streamer
            )
            print(json ? run.report.text : "started genesis run \(run.id); the relay publishes it")
        }
    }
}

struct GenesisListCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "list", abstract: "Lists all runs with their progress.")
    }

    @Flag(help: "Print the list as JSON.") var json = false

    func run() async throws {
        try await withGenesis(App.self) { genesis in
            let runs = try await genesis.runs().filter { !$0.isVerification }
            guard !json else { return print(JSON.array(runs.map(\.report)).text) }
            let rows = runs.map { run in
                [
                    "\(run.id)", run.topic, run.model, run.state.rawValue, run.percentText,
                    "\(run.recordsPublished)", run.createdAt.iso8601(fractionDigits: 0),
                ]
            }
            print(tableText(["ID", "TOPIC", "MODEL", "STATE", "DONE", "PUBLISHED", "STARTED"], rows))
        }
    }
}

struct GenesisShowCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "show", abstract: "Shows a run: what it publishes, and its progress.")
    }

    @OptionGroup var choice: GenesisChoice

    func run() async throws { try await choice.perform(App.self) { try await $0.run($1) } }
}

struct GenesisPauseCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "pause",
            abstract: "Pauses a run until it is resumed.",
            discussion: "Rows that are already in the outbox are still published."
        )
    }

    @OptionGroup var choice: GenesisChoice

    func run() async throws { try await choice.perform(App.self) { try await $0.pause($1) } }
}

struct GenesisResumeCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "resume",
            abstract: "Resumes a run that was paused or has failed.",
            discussion: "The remaining chunks of a spread run are delayed by the pause."
        )
    }

    @OptionGroup var choice: GenesisChoice

    func run() async throws { try await choice.perform(App.self) { try await $0.resume($1) } }
}

struct GenesisCancelCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "cancel",
            abstract: "Cancels a run.",
            discussion: "Rows that are already in the outbox are still published."
        )
    }

    @OptionGroup var choice: GenesisChoice

    func run() async throws { try await choice.perform(App.self) { try await $0.cancel($1) } }
}

/// A genesis run, with its JSON and text forms.
struct GenesisChoice: ParsableArguments {
    @Argument(help: "The run's number.") var id: Int64
    @Flag(help: "Print the run as JSON.") var json = false

    func perform<App: DionysusApplication>(
        _ type: App.Type,
        _ action: (Genesis, Int64) async throws -> GenesisRun
    ) async throws {
        try await withGenesis(type) { genesis in
            let run = try await action(genesis, id)
            print(json ? run.report.text : run.text)
        }
    }
}

/// Runs a command's body with the source database open.
private func withGenesis<App: DionysusApplication>(
    _ type: App.Type,
    _ body: (Genesis) async throws -> Void
) async throws {
    let environment = try ApplicationEnvironment<App>()
    let source = try environment.source()
    let genesis = Genesis(
        database: source,
        registry: environment.registry,
        settings: environment.settings.producer
    )
    do {
        try await body(genesis)
    } catch {
        await source.close()
        throw error
    }
    await source.close()
}

@Sendable func time(_ text: String) throws -> Timestamp {
    guard let time = Timestamp(text) else {
        throw ValidationError("'\(text)' is not an ISO 8601 time, such as 2026-01-31T12:00:00Z.")
    }
    return time
}

@Sendable func days(_ text: String) throws -> Duration {
    guard let days = Double(text), days > 0, days <= 3_650 else {
        throw ValidationError("'\(text)' is not a positive number of days, such as 2 or 0.5.")
    }
    return .seconds(days * 86_400)
}

@Sendable private func condition(_ text: String) throws -> GenesisSelection.Condition {
    guard let separator = text.firstIndex(of: "="), separator > text.startIndex else {
        throw ValidationError("'\(text)' is not COLUMN=VALUE.")
    }
    return .init(String(text[..<separator]), String(text[text.index(after: separator)...]))
}

extension GenesisRun {
    var percentText: String {
        percent.map { "\(Int($0))%" } ?? "\(chunksDone) of \(chunks) chunks, splitting"
    }

    /// The run as JSON.
    var report: JSON {
        func time(_ time: Timestamp?) -> JSON { time.map { .string($0.description) } ?? .null }
        func number(_ number: Double?) -> JSON { number.map { .number("\($0)") } ?? .null }
        let conditions = selection.conditions.map { condition in
            JSON.object(["column": .string(condition.column), "value": condition.value.map(JSON.string) ?? .null])
        }
        return .object([
            "id": .integer(id), "topic": .string(topic), "model": .string(model), "state": .string(state.rawValue),
            "from": time(selection.from), "to": time(selection.to), "where": .array(conditions),
            "visible_only": .bool(selection.visibleOnly), "over_seconds": number(spread.map(\.inSeconds)),
            "split": .bool(isSplit), "chunks": .integer(chunks), "chunks_queued": .integer(chunksQueued),
            "chunks_done": .integer(chunksDone), "records_queued": .integer(recordsQueued),
            "records_published": .integer(recordsPublished), "percent": number(percent),
            "created_at": time(createdAt), "starts_at": time(startsAt), "estimated_end": time(estimatedEnd),
            "finished_at": time(finishedAt), "error": error.map(JSON.string) ?? .null,
            "streamer": streamer.map(JSON.string) ?? .null,
        ])
    }

    /// The run as text.
    var text: String {
        var lines = [
            "\(isVerification ? "verification" : "genesis") run \(id): \(model) to \(topic), \(state.rawValue)"
                .printable(),
            "started    \(createdAt.iso8601(fractionDigits: 0))",
        ]
        if let spread { lines.append("over       \(spread.inSeconds / 86_400) days") }
        if let from = selection.from { lines.append("from       \(from)") }
        if let to = selection.to { lines.append("to         \(to)") }
        for condition in selection.conditions {
            lines.append("where      \(condition.column) = \(condition.value ?? "null")".printable())
        }
        if let streamer { lines.append("streamer   \(streamer)".printable()) }
        if selection.visibleOnly { lines.append("only       visible records") }
        lines.append("done       \(percentText)\(isSplit ? ", \(chunksDone) of \(chunks) chunks" : "")")
        lines.append("records    \(recordsPublished) published of \(recordsQueued) queued")
        if let estimatedEnd { lines.append("expected   \(estimatedEnd.iso8601(fractionDigits: 0))") }
        if let finishedAt { lines.append("ended      \(finishedAt.iso8601(fractionDigits: 0))") }
        if let error { lines.append("error      \(error)".printable()) }
        return lines.joined(separator: "\n")
    }
}

extension Duration {
    fileprivate var inSeconds: Double { self / .seconds(1) }
}
