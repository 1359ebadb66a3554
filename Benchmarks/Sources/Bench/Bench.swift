import ArgumentParser
import Dionysus
import DionysusEmbedded
import DionysusKafka
import Foundation

/// Measures the whole and its parts, each beside its floor: the same SQL statements alone.
@main
struct Bench: AsyncParsableCommand {
    @Option(help: "Run only the benchmarks whose name begins with this.") var only = ""
    @Option(help: "Runs of each benchmark.") var runs = 3
    @Flag(help: "Print JSON.") var json = false
    @Option(help: "Write the table into this file, between its markers.") var write: String?

    func run() async throws {
        var rows: [Measurement] = []
        for benchmark in Benchmark.all where benchmark.name.hasPrefix(only) {
            var samples: [[Double]] = []
            for number in 1...runs {
                FileHandle.standardError.write(Data("\(benchmark.name): run \(number) of \(runs)\n".utf8))
                samples.append(try await benchmark.run())
            }
            for (index, figure) in benchmark.figures.enumerated() {
                rows.append(Measurement(name: benchmark.name, figure: figure, samples: samples.map { $0[index] }))
            }
        }
        if json {
            print(JSON.array(rows.map(\.json)).text)
        } else {
            print(Report.table(rows))
        }
        if let write { try Report(rows: rows, runs: runs).write(to: write) }
    }
}

/// Something to be measured, giving one number for each of its figures.
struct Benchmark: Sendable {
    struct Figure: Sendable {
        let name: String
        let unit: String
    }

    let name: String
    let figures: [Figure]
    let run: @Sendable () async throws -> [Double]

    static let all = [
        relay, snapshot, genesis, consumerCreated, consumerUpdated, consumerBookings, consumerSQLite, captureInsert,
        captureBulk, latency,
    ]
}

/// The samples of one figure.
struct Measurement: Sendable {
    let name: String
    let figure: Benchmark.Figure
    let samples: [Double]

    private var sorted: [Double] { samples.sorted() }
    var median: Double { sorted.isEmpty ? 0 : sorted[sorted.count / 2] }
    var minimum: Double { sorted.first ?? 0 }
    var maximum: Double { sorted.last ?? 0 }

    var json: JSON {
        .object([
            "benchmark": .string(name), "figure": .string(figure.name), "unit": .string(figure.unit),
            "median": .number("\(median)"), "min": .number("\(minimum)"), "max": .number("\(maximum)"),
        ])
    }
}

/// The broker that is measured with: the cluster of `DIONYSUS_SEED_BROKER`, or librdkafka's mock cluster in this process.
func withKafka<T>(_ body: (any MessageBroker) async throws -> T) async throws -> T {
    if let servers = ProcessInfo.processInfo.environment["DIONYSUS_SEED_BROKER"] {
        let broker = try KafkaBroker(bootstrapServers: servers)
        let result = try await body(broker)
        await broker.close()
        return result
    }
    let cluster = try MockCluster(brokers: 1)
    let broker = try KafkaBroker(bootstrapServers: cluster.bootstrapServers)
    let result = try await body(broker)
    await broker.close()
    cluster.close()
    return result
}

/// A log in a file.
///
/// The mock cluster keeps too little of a topic to be read from its beginning.
func withEmbeddedLog<T>(_ body: (any MessageBroker) async throws -> T) async throws -> T {
    let directory = NSTemporaryDirectory() + "/bench-" + UUID().uuidString
    let broker = try EmbeddedBroker(path: directory + "/log.sqlite")
    let result = try await body(broker)
    await broker.close()
    try FileManager.default.removeItem(atPath: directory)
    return result
}
