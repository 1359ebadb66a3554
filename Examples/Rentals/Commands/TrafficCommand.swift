import ArgumentParser
import Dionysus
import DionysusApplication
import ServiceLifecycle

struct TrafficCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "traffic",
        abstract: "Changes the source's records in every way that an application does."
    )

    @Option(help: "Changes per second.") var rate = 50
    @Option(help: "How long, in seconds.") var seconds = 10
    @Option(help: "The same seed gives the same sequence of kinds of change.") var seed: UInt64 = 1

    func validate() throws {
        guard rate > 0, seconds > 0 else { throw ValidationError("--rate and --seconds must be positive.") }
    }

    func run() async throws {
        let environment = try ApplicationEnvironment<RentalsApplication>()
        let source = try environment.source()
        let traffic = TrafficService(source: source, rate: rate, duration: .seconds(seconds), seed: seed)
        try await environment.run(traffic)
        await source.close()
        print("made \(traffic.made) changes")
    }
}
