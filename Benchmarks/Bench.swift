import ArgumentParser
import Foundation

/// Runs the benchmarks, each with its floor: the same SQL statements alone.
@main
struct Bench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Runs the benchmarks, each with its floor: the same SQL statements alone.",
        discussion: """
            The environment names the servers. DIONYSUS_TEST_POSTGRES_URL is a superuser's URL of a PostgreSQL server; \
            script/bench starts one. DIONYSUS_SEED_BROKER (host:port) is a Kafka cluster to measure with; without it, \
            librdkafka's mock cluster runs in this process. 'relay-rtt' always uses the mock cluster, because it can \
            delay its answers.
            """,
        subcommands: [RelayProcess.self, ConsumerProcess.self, DocumentProcess.self, IdleProcess.self]
    )

    @Option(help: "Run only these benchmarks: names or prefixes, separated by commas.")
    var only: String?
    @Option(help: "Runs of each benchmark; 3 by default, and 1 for slow ones.")
    var runs: Int?
    @Option(help: "How many minutes 'snapshot-held' holds its snapshot.")
    var minutes = 1.0
    @Flag(help: "Print JSON.") var json = false
    @Flag(help: "Print the names of the benchmarks without running any.") var list = false
    @Option(help: "Write the table to this file, between its markers.") var write: String?

    func validate() throws {
        if let runs, runs < 1 { throw ValidationError("--runs must be at least 1") }
        if minutes <= 0 { throw ValidationError("--minutes must be above zero") }
        _ = try selected()
    }

    func run() async throws {
        let benchmarks = try selected()
        if list {
            for benchmark in benchmarks { print(benchmark.name) }
            return
        }
        var rows: [Measurement] = []
        for benchmark in benchmarks {
            let count = runs ?? (benchmark.isLong ? 1 : 3)
            var samples: [[Double]] = []
            for number in 1...count {
                FileHandle.standardError.write(Data("\(benchmark.name): run \(number) of \(count)\n".utf8))
                samples.append(try await benchmark.run())
            }
            rows += Measurement.measurements(of: benchmark, runs: samples)
        }
        let report = Report(rows: rows, machine: .this, versions: try await .inUse())
        print(json ? report.json.text : report.text)
        if let write { try report.write(to: write) }
    }

    /// The selected benchmarks: all of them, or those with a name, otherwise those with it as a prefix.
    private func selected() throws -> [Benchmark] {
        let all = Benchmark.all(minutes: minutes)
        guard let only else { return all }
        let names = try Set(
            only.split(separator: ",")
                .flatMap { part -> [String] in
                    let exact = all.filter { $0.name == part }
                    let found = exact.isEmpty ? all.filter { $0.name.hasPrefix(part) } : exact
                    guard !found.isEmpty else {
                        let names = all.map(\.name).joined(separator: ", ")
                        throw ValidationError("there is no benchmark '\(part)'; there are \(names)")
                    }
                    return found.map(\.name)
                }
        )
        return all.filter { names.contains($0.name) }
    }
}
