import ArgumentParser
import Dionysus
import DionysusConsumer
import DionysusEmbedded
import DionysusKafka
import DionysusPostgres
import DionysusProducer
import DionysusSQLite
import Foundation
import Synchronization

// To measure memory or processor time, this program runs itself again with a subcommand.

/// Runs this program again.
/// - Returns: The numbers that it prints.
func measureInOwnProcess(_ arguments: [String]) async throws -> [Double] {
    let process = Process()
    process.executableURL = Bundle.main.executableURL
    process.arguments = arguments
    // As the operating guide recommends for low memory.
    process.environment = ProcessInfo.processInfo.environment.merging(
        ["MALLOC_ARENA_MAX": "\(2 * ProcessInfo.processInfo.activeProcessorCount)"],
        uniquingKeysWith: { given, _ in given }
    )
    let output = Pipe()
    process.standardOutput = output
    let (ended, end) = AsyncStream.makeStream(of: Void.self)
    process.terminationHandler = { _ in end.finish() }
    try process.run()
    for await _ in ended {}
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    guard process.terminationStatus == 0 else { throw ExitCode(process.terminationStatus) }
    return text.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
}

/// The database at a URL, or in a file.
func openDatabase(_ address: String) throws -> any CapturingDatabase {
    try address.hasPrefix("/") ? SQLiteDatabase(path: address) : PostgresDatabase(url: address)
}

/// A cluster by its brokers, or the log in a file.
func openBroker(_ address: String) throws -> any MessageBroker {
    try address.hasPrefix("/") ? openLog(address) : KafkaBroker(bootstrapServers: address)
}

/// Publishes all pending rows, and prints its memory.
struct RelayProcess: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "relay-process", shouldDisplay: false)

    @Option var database: String
    @Option var broker: String
    @Option var rows: Int

    func run() async throws {
        let memory = MemoryTrace(of: rows)
        try await RelayService(
            Registry(RentalSync()),
            database: openDatabase(database),
            broker: openBroker(broker),
            mode: .untilEmpty,
            logger: quiet,
            onPublished: { memory.add($0.changes.count) }
        )
        .run()
        memory.print()
    }
}

/// Applies the whole log, and prints its memory.
struct ConsumerProcess: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "consumer-process", shouldDisplay: false)

    @Option var database: String
    @Option var log: String
    @Option var messages: Int

    func run() async throws {
        let memory = MemoryTrace(of: messages)
        try await ConsumerService(
            RentalMirror(onConsumed: { _ in memory.add(1) }),
            database: PostgresDatabase(url: database),
            broker: EmbeddedBroker(path: log),
            mode: .untilCaughtUp,
            logger: quiet
        )
        .run()
        memory.print()
    }
}

/// Runs an idle relay, and prints its resource usage.
struct IdleProcess: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "idle-process", shouldDisplay: false)

    @Option(help: "The URL of a PostgreSQL database, or an SQLite file.") var database: String
    @Option(help: "A cluster's brokers, or an embedded log's file.") var broker: String
    @Option var seconds: Double

    func run() async throws {
        let counting = CountingDatabase(try openDatabase(database))
        let broker = try openBroker(broker)
        let relay = RelayService(Registry(RentalSync()), database: counting, broker: broker, logger: quiet)
        try await withServices(relay) {
            // By then the start is over.
            try await Task.sleep(for: .seconds(3))
            let (time, count) = (Usage.processorTime, counting.count)
            let spent = try await ContinuousClock().measure { try await Task.sleep(for: .seconds(seconds)) }
            let (share, calls) = (Usage.processorTime - time, Double(counting.count - count))
            print(share / (spent / .seconds(1)) * 100, calls / (spent / .seconds(1)))
        }
    }
}

/// Counts the requests to a database.
private final class CountingDatabase: CapturingDatabase {
    private let database: any CapturingDatabase
    private let calls = Mutex(0)

    init(_ database: any CapturingDatabase) { self.database = database }

    /// The number of transactions and leases.
    var count: Int { calls.withLock { $0 } }

    var dialect: any SQLDialect { database.dialect }
    var location: String { database.location }
    var captureSupport: CaptureSupport { database.captureSupport }

    func transaction<T: Sendable>(
        _ kind: TransactionKind,
        _ body: @escaping @Sendable (inout Transaction) throws -> T
    ) async throws -> T {
        calls.withLock { $0 += 1 }
        return try await database.transaction(kind, body)
    }

    func lease(_ resource: LeasedResource, idleTimeout: Duration) async throws -> (any Lease)? {
        calls.withLock { $0 += 1 }
        return try await database.lease(resource, idleTimeout: idleTimeout)
    }

    func close() async { await database.close() }
}

/// A process's peak memory after a tenth of its work, and at the end.
private final class MemoryTrace: Sendable {
    private let tenth: Int
    private let state = Mutex((done: 0, peakAfterTenth: 0.0))

    init(of count: Int) { tenth = count / 10 }

    func add(_ count: Int) {
        state.withLock { state in
            let before = state.done
            state.done += count
            if before < tenth, state.done >= tenth { state.peakAfterTenth = Usage.peakMemory }
        }
    }

    func print() {
        let peakAfterTenth = state.withLock { $0.peakAfterTenth }
        Swift.print(Usage.peakMemory, peakAfterTenth)
    }
}

/// The resource usage of this process.
enum Usage {
    /// The processor time of all threads, in seconds.
    static var processorTime: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The peak of resident memory, in megabytes.
    static var peakMemory: Double {
        #if os(Linux)
        // The value of `getrusage` starts with the parent's.
        let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        let kibibytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) }
        return (kibibytes ?? .nan) * 1_024 / 1e6
        #else
        var usage = rusage()
        getrusage(RUSAGE_SELF, &usage)
        return Double(usage.ru_maxrss) / 1e6
        #endif
    }
}
