import ArgumentParser
import Dionysus
import DionysusEmbedded
import DionysusKafka
import DionysusKafkaTesting
import DionysusPostgres
import DionysusSQLite
import FaultProxy
import Foundation
import Synchronization
import TestSupport

/// The kind of system.
enum SystemKind: String, Sendable, CaseIterable, ExpressibleByArgument {
    /// SQLite databases and the embedded log.
    case embedded
    /// PostgreSQL and Kafka, each behind a proxy.
    case servers
    /// The same with PgBouncer in transaction mode in front of PostgreSQL.
    case bouncer

    static var available: [SystemKind] {
        let environment = ProcessInfo.processInfo.environment
        return allCases.filter { kind in
            switch kind {
            case .embedded: true
            case .servers: environment["DIONYSUS_TEST_POSTGRES_URL"] != nil
            case .bouncer: environment["DIONYSUS_TEST_PGBOUNCER_URL"] != nil
            }
        }
    }
}

/// The role of a process.
enum Role: String, Sendable, CaseIterable {
    case relay
    case consumer
    /// A consumer of another group, which counts the effect of each event.
    case counter
    case writer
}

/// A system under test: databases, a broker, and the processes that use them.
actor System {
    /// The databases and their URLs.
    struct Places: Sendable {
        /// The URLs that the processes use, through the proxies.
        var source: String
        var replica: String
        var counts: String
        /// The broker's address for relays.
        var producerBroker: String
        /// The broker's address for consumers.
        var consumerBroker: String
        /// The URLs that bypass the proxies.
        var directSource: String
        var directReplica: String
        var directCounts: String
        var directBroker: String
    }

    /// The maximum number of concurrent batches of both relays.
    static let workers = 8
    private static let session = "session.timeout.ms=\(Int(Fault.sessionTimeout / .milliseconds(1)))"
    /// The time after which a process that was terminated during a round is killed.
    private static let ending = Duration.seconds(30)

    nonisolated let kind: SystemKind
    nonisolated let places: Places
    /// The proxy in front of PostgreSQL or PgBouncer.
    nonisolated let databaseProxy: FaultProxy?
    /// The proxy between relays and the Kafka cluster.
    nonisolated let producerProxy: FaultProxy?
    /// The proxy between consumers and the Kafka cluster.
    nonisolated let consumerProxy: FaultProxy?
    /// The proxy between this tool and the Kafka cluster, without faults.
    private nonisolated let logProxy: FaultProxy?
    private nonisolated let clusters: Mutex<[MockCluster]>
    /// Additional settings for all processes.
    nonisolated let settings: [String: String]
    /// The separate small file systems of the embedded system's files, if any.
    nonisolated let disks: [SmallDisk]
    nonisolated let source: any CapturingDatabase
    nonisolated let replica: any CapturingDatabase

    private var processes: [Role: [RunningProcess]] = [:]
    private var writerSeed: UInt64 = 1
    /// The output of stopped processes.
    private(set) var log = ""
    /// The last outbox row whose message may have been lost with the log; 0 if none.
    private(set) var lastLostRow: Int64 = 0

    private init(
        kind: SystemKind,
        places: Places,
        settings: [String: String],
        databaseProxy: FaultProxy? = nil,
        producerProxy: FaultProxy? = nil,
        consumerProxy: FaultProxy? = nil,
        logProxy: FaultProxy? = nil,
        cluster: MockCluster? = nil,
        disks: [SmallDisk] = []
    ) throws {
        self.kind = kind
        self.places = places
        self.settings = settings
        self.databaseProxy = databaseProxy
        self.producerProxy = producerProxy
        self.consumerProxy = consumerProxy
        self.logProxy = logProxy
        clusters = Mutex([cluster].compactMap(\.self))
        self.disks = disks
        source = try Self.open(places.directSource)
        replica = try Self.open(places.directReplica)
    }

    // MARK: A system for a round

    /// Runs a body on a new system.
    /// - Parameters:
    ///   - settings: Settings of all processes.
    ///   - onSmallDisks: Whether the embedded system's files are on file systems that can be filled.
    static func with<T: Sendable>(
        _ kind: SystemKind,
        settings: [String: String] = [:],
        onSmallDisks: Bool = false,
        _ body: (System) async throws -> T
    ) async throws -> T {
        try await withTemporaryDirectory { directory in
            switch kind {
            case .embedded: return try await withFiles(in: directory, settings, onSmallDisks: onSmallDisks, body)
            case .servers, .bouncer: return try await withServers(kind, settings, body)
            }
        }
    }

    private static func withFiles<T: Sendable>(
        in directory: String,
        _ settings: [String: String],
        onSmallDisks: Bool,
        _ body: (System) async throws -> T
    ) async throws -> T {
        let names = ["source", "replica", "counts", "log"]
        var disks: [SmallDisk] = []
        for name in names where onSmallDisks {
            if let disk = try await SmallDisk.mounted(at: "\(directory)/\(name)", megabytes: 128) { disks.append(disk) }
        }
        let files = names.map { "\(directory)/\($0)/\($0).sqlite" }
        let databases = files.dropLast().map { "sqlite:\($0)" }
        let log = "embedded:\(files[3])"
        let places = Places(
            source: databases[0],
            replica: databases[1],
            counts: databases[2],
            producerBroker: log,
            consumerBroker: log,
            directSource: databases[0],
            directReplica: databases[1],
            directCounts: databases[2],
            directBroker: log
        )
        do {
            let result = try await run(
                try System(kind: .embedded, places: places, settings: settings, disks: disks),
                body
            )
            for disk in disks { try await disk.unmount() }
            return result
        } catch {
            for disk in disks { try await disk.unmount() }
            throw error
        }
    }

    private static func withServers<T: Sendable>(
        _ kind: SystemKind,
        _ settings: [String: String],
        _ body: (System) async throws -> T
    ) async throws -> T {
        let cluster = try MockCluster(brokers: 1)
        let name = kind == .bouncer ? "DIONYSUS_TEST_PGBOUNCER_URL" : "DIONYSUS_TEST_POSTGRES_URL"
        guard let server = ProcessInfo.processInfo.environment[name].flatMap({ URLComponents(string: $0) }),
            let host = server.host, let port = server.port, let brokerPort = cluster.port
        else { throw ChaosError("\(name) names no server with a port") }
        let databaseProxy = try await FaultProxy(host: host, port: port)
        let producerProxy = try await FaultProxy(host: "127.0.0.1", port: brokerPort, advertisesItself: true)
        let consumerProxy = try await FaultProxy(host: "127.0.0.1", port: brokerPort, advertisesItself: true)
        let logProxy = try await FaultProxy(host: "127.0.0.1", port: brokerPort, advertisesItself: true)
        func proxied(_ url: String) -> String {
            var components = URLComponents(string: url)
            components?.host = "127.0.0.1"
            components?.port = databaseProxy.port
            return components?.string ?? url
        }
        let result = try await withTemporaryPostgresURL { source in
            try await withTemporaryPostgresURL { replica in
                try await withTemporaryPostgresURL { counts in
                    let places = Places(
                        source: proxied(source),
                        replica: proxied(replica),
                        counts: proxied(counts),
                        producerBroker: "127.0.0.1:\(producerProxy.port)",
                        consumerBroker: "127.0.0.1:\(consumerProxy.port)",
                        directSource: source,
                        directReplica: replica,
                        directCounts: counts,
                        directBroker: "127.0.0.1:\(logProxy.port)"
                    )
                    return try await run(
                        try System(
                            kind: kind,
                            places: places,
                            settings: settings,
                            databaseProxy: databaseProxy,
                            producerProxy: producerProxy,
                            consumerProxy: consumerProxy,
                            logProxy: logProxy,
                            cluster: cluster
                        ),
                        body
                    )
                }
            }
        }
        await databaseProxy.close()
        await producerProxy.close()
        await consumerProxy.close()
        await logProxy.close()
        return result
    }

    private static func run<T: Sendable>(_ system: System, _ body: (System) async throws -> T) async throws -> T {
        do {
            let result = try await body(system)
            await system.close()
            return result
        } catch {
            await system.close()
            throw error
        }
    }

    private func close() async {
        for process in processes.values.flatMap(\.self) { await process.killAndWait() }
        processes = [:]
        await source.close()
        await replica.close()
        for cluster in clusters.withLock(\.self) { cluster.close() }
    }

    static func open(_ url: String) throws -> any CapturingDatabase {
        url.hasPrefix("sqlite:")
            ? try SQLiteDatabase(path: String(url.dropFirst("sqlite:".count))) : try PostgresDatabase(url: url)
    }

    /// The broker, bypassing the proxy.
    nonisolated func openBroker() throws -> any MessageBroker {
        let seed = places.directBroker
        return seed.hasPrefix("embedded:")
            ? try EmbeddedBroker(path: String(seed.dropFirst("embedded:".count)))
            : try KafkaBroker(bootstrapServers: seed)
    }

    /// The Kafka cluster.
    nonisolated var cluster: MockCluster? { clusters.withLock { $0.last } }

    /// Replaces the log, with all topics and groups, with a new one.
    ///
    /// No process may have the embedded log open.
    func loseLog() async throws {
        if let path = places.directBroker.split(separator: ":", maxSplits: 1).last, kind == .embedded {
            for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: path + suffix) {
                try FileManager.default.removeItem(atPath: path + suffix)
            }
            let broker = try openBroker()
            try await broker.createTopics(Counting.topics.map { TopicSpecification(name: $0, partitions: 4) })
            await broker.close()
        } else {
            let cluster = try MockCluster(brokers: 1)
            guard let port = cluster.port else { throw ChaosError("the new cluster has no port") }
            clusters.withLock { $0.append(cluster) }
            for proxy in [producerProxy, consumerProxy, logProxy] { proxy?.lead(to: port) }
        }
        try await noteLoss()
    }

    /// Records that messages of existing rows may have been lost with the log.
    func noteLoss() async throws {
        lastLostRow = try await source.transaction(.snapshot) { transaction in
            try transaction.run("SELECT max(id) FROM dionysus_outboxes").first?.integer(0) ?? 0
        }
    }

    /// Writes to the source, with retries against the writers and other faults.
    nonisolated func disturb(_ statements: [SQL], _ database: (any CapturingDatabase)? = nil) async throws {
        do {
            _ = try await (database ?? source).transaction(.write) { try $0.run(statements) }
        } catch let error as DionysusError where error.isRetriable || error.code == .constraint {
            return
        }
    }

    /// Runs statements on a database, with retries against the writers and other faults.
    nonisolated func insist(_ statements: [SQL], on database: any Database) async throws {
        let end = ContinuousClock.now + .seconds(30)
        try await Backoff(initial: .milliseconds(50), maximum: .milliseconds(500))
            .retrying(while: { .now < end }) {
                _ = try await database.transaction(.write) { try $0.run(statements) }
            }
    }

    // MARK: Processes

    /// The environment of the processes.
    nonisolated func environment(of role: Role, _ places: Places) -> [String: String] {
        [
            "SOURCE_DATABASE_URL": places.source, "REPLICA_DATABASE_URL": places.replica,
            "DIONYSUS_SEED_BROKER": role == .consumer ? places.consumerBroker : places.producerBroker,
            "DIONYSUS_WORKERS": "\(Self.workers / 2)",
            "DIONYSUS_LEASE_TIMEOUT_MS": "6000",
            "DIONYSUS_MESSAGE_TIMEOUT_MS": "4000",
            // A broker refuses a batch if it has not accepted an earlier one, and librdkafka relies on that: once the
            // second is acknowledged, it considers the first acknowledged too. The mock cluster ignores sequence
            // numbers, so only one request is sent at a time.
            "DIONYSUS_PRODUCER_SETTINGS": kind == .embedded ? "" : "max.in.flight.requests.per.connection=1",
            "DIONYSUS_CONSUMER_SETTINGS": kind == .embedded
                ? Self.session : "\(Self.session);heartbeat.interval.ms=500",
            "DIONYSUS_HEARTBEAT_DIRECTORY": NSTemporaryDirectory(),
        ]
        .merging(settings) { $1 }
    }

    /// Starts a process.
    /// - Parameters:
    ///   - options: Additional arguments.
    ///   - places: Its addresses; the common ones by default.
    @discardableResult
    func start(
        _ role: Role,
        _ options: [String] = [],
        settings: [String: String] = [:],
        at places: Places? = nil
    ) throws -> RunningProcess {
        let process = try launch(role, options, settings, places)
        processes[role, default: []].append(process)
        return process
    }

    private func launch(
        _ role: Role,
        _ options: [String],
        _ settings: [String: String],
        _ otherPlaces: Places?
    ) throws -> RunningProcess {
        let places = otherPlaces ?? places
        func process(_ program: String, _ arguments: [String]) throws -> RunningProcess {
            try self.process(program, arguments + options, role, places, settings)
        }
        switch role {
        case .relay: return try process("rentals", ["relay"])
        case .consumer: return try process("rentals", ["consume"])
        case .counter: return try process("Chaos", ["count", places.counts, places.consumerBroker])
        case .writer:
            writerSeed += 1
            return try process("rentals", ["traffic", "--rate", "60", "--seconds", "600", "--seed", "\(writerSeed)"])
        }
    }

    /// Starts a program in the same directory as this one.
    private nonisolated func process(
        _ program: String,
        _ arguments: [String],
        _ role: Role,
        _ places: Places? = nil,
        _ settings: [String: String] = [:]
    ) throws -> RunningProcess {
        let directory = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        return try RunningProcess(
            directory.appending(path: program).path,
            arguments,
            environment: environment(of: role, places ?? self.places).merging(settings) { $1 }
        )
    }

    /// Runs a command of the application to its end.
    nonisolated func run(_ arguments: String...) async throws -> RunningProcess.Result {
        await (try process("rentals", arguments, .writer)).result()
    }

    /// Runs a command that must succeed.
    nonisolated func succeed(_ arguments: String...) async throws {
        let result = await (try process("rentals", arguments, .writer)).result()
        guard result.status == 0 else { throw ChaosError("\(arguments.joined(separator: " ")): \(result.errors)") }
    }

    /// A process of a role.
    func any(_ role: Role, _ random: inout SeededGenerator) -> RunningProcess? {
        processes[role]?.randomElement(using: &random)
    }

    func all(_ role: Role) -> [RunningProcess] { processes[role] ?? [] }

    /// Kills a process and restarts it, as a supervisor would do.
    func replace(_ process: RunningProcess, _ role: Role) async throws {
        await process.killAndWait()
        try await exchange(process, role)
    }

    /// Stops a process permanently.
    func remove(_ process: RunningProcess, _ role: Role, gracefully: Bool) async throws {
        processes[role]?.removeAll { $0 === process }
        if gracefully { _ = await process.terminate(within: Self.ending) } else { await process.killAndWait() }
        note(process, role, await process.result())
    }

    /// Terminates a process, and starts a replacement.
    /// - Returns: Its exit status.
    func replaceGracefully(_ process: RunningProcess, _ role: Role) async throws -> RunningProcess.Result {
        let result = await process.terminate(within: Self.ending)
        try await exchange(process, role)
        return result
    }

    private func exchange(_ process: RunningProcess, _ role: Role) async throws {
        await forget(process, role)
        try start(role)
    }

    /// Removes a process that has exited.
    private func forget(_ process: RunningProcess, _ role: Role) async {
        processes[role]?.removeAll { $0 === process }
        note(process, role, await process.result())
    }

    /// Terminates all processes of some roles.
    /// - Returns: The violations of exit status and shutdown time.
    func end(_ roles: [Role], within limit: Duration) async -> [String] {
        let ending = roles.flatMap { role in (processes.removeValue(forKey: role) ?? []).map { (role, $0) } }
        return await withTaskGroup(of: (Role, RunningProcess, RunningProcess.Result).self) { group in
            for (role, process) in ending {
                group.addTask { (role, process, await process.terminate(within: limit)) }
            }
            var faults: [String] = []
            for await (role, process, result) in group {
                note(process, role, result)
                // A writer's running change may fail.
                guard role != .writer, result.status != 0 else { continue }
                let isKilled = result.status == 128 + SIGKILL
                let how = isKilled ? "did not end within \(limit.inSeconds) s" : "ended with status \(result.status)"
                faults.append("a \(role.rawValue) \(how): \(result.errors.suffix(600))")
            }
            return faults
        }
    }

    private func note(_ process: RunningProcess, _ role: Role, _ result: RunningProcess.Result) {
        log += "=== \(role.rawValue) \(process.identifier), status \(result.status)\n\(result.errors)"
    }

    /// The processes that exited by themselves, with their last output.
    func fallen() async -> [String] {
        var fallen: [String] = []
        for role in [Role.relay, .consumer, .counter] {
            for process in all(role) where !process.isRunning {
                let result = await process.result()
                fallen.append(
                    "a \(role.rawValue) ended by itself with status \(result.status): \(result.errors.suffix(600))"
                )
            }
        }
        return fallen
    }
}

extension MockCluster {
    /// The port of its only broker.
    fileprivate var port: Int? { bootstrapServers.split(separator: ":").last.flatMap { Int($0) } }
}

/// The reason why a round could not run.
struct ChaosError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
