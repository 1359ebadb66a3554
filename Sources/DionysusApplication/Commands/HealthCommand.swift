public import ArgumentParser
import Dionysus
public import DionysusHealth

struct HealthCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "health",
            abstract: "Checks whether the relay or the consumer on this machine is working.",
            discussion: "Exits with 0, or with 1 and the reason on standard error."
        )
    }

    @Argument(help: "The service: relay or consumer.") var service: ServiceRole
    @Flag(help: "What to check: whether it makes progress, or (the default) whether it is working.")
    var question = Health.Question.ready
    @Option(help: "Maximum age of the heartbeat, in seconds.") var maxAge = 30
    @Flag(help: "Print the report as JSON.") var json = false

    func validate() throws {
        let side = service == .relay ? Side.producer : .consumer
        if !App.has(side) { throw ValidationError("\(App.name) has no \(service.rawValue)") }
        if maxAge < 1 { throw ValidationError("--max-age must be at least 1") }
    }

    func run() async throws {
        let settings = try ResolvedSettings.resolve(of: App()).values
        let health = Health(
            clientID: settings.clientID(of: service),
            application: App.name,
            place: try settings.place(of: service),
            directory: settings.heartbeatDirectory
        )
        let report = health.report(on: service, question, maxAge: .seconds(maxAge))
        if json { print(Self.json(report, service).text) }
        if let reason = report.reason {
            printError(reason)
            throw ExitCode.failure
        }
        if !json { print("the \(service.rawValue) is \(question.rawValue)") }
    }

    private static func json(_ report: Health.Report, _ service: ServiceRole) -> JSON {
        .object([
            "service": .string(service.rawValue),
            "healthy": .bool(report.isHealthy),
            "reason": report.reason.map(JSON.string) ?? .null,
            "state": report.heartbeat.map { .string($0.state.rawValue) } ?? .null,
            "pid": report.heartbeat.map { .integer(Int64($0.processID)) } ?? .null,
            "time": report.heartbeat.map { .string($0.time.description) } ?? .null,
        ])
    }
}

extension ServiceRole: ExpressibleByArgument {}

extension Health.Question: EnumerableFlag {}
