import ArgumentParser
import Dionysus
import DionysusEmbedded
import DionysusKafka
import DionysusPostgres
import DionysusSQLite
import FaultProxy
import Foundation
import TestSupport

/// What the application runs on.
enum SystemKind: String, Sendable, CaseIterable, ExpressibleByArgument {
    /// SQLite databases and the embedded log.
    case embedded
    /// PostgreSQL and Kafka, each behind a proxy.
    case servers
    /// The same with PgBouncer before PostgreSQL, in transaction mode.
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

/// What a process of the system does.
enum Role: String, Sendable, CaseIterable {
    case relay
    case consumer
    /// A consumer of another group, which counts the effect of each event.
    case counter
    case writer
}

/// A system under attack: databases, a broker, and processes that work on them.
actor System {
    /// Where databases are, and how to get at them.
    struct Places: Sendable {
        /// The URLs that the processes use, through the proxies.
        var source: String
        var replica: String
        var counts: String
        /// What relays connect to.
        var producerBroker: String
        /// What consumers connect to.
        var consumerBroker: String
        /// The URLs past the proxies.
        var directSource: String
        var directReplica: String
        var directCounts: String
        var directBroker: String
    }

    nonisolated let kind: SystemKind
    nonisolated let places: Places
    /// The proxy before PostgreSQL or PgBouncer.
    nonisolated let databaseProxy: FaultProxy?
    /// The proxy between relays and the Kafka cluster.
    nonisolated let producerProxy: FaultProxy?
    /// The proxy between consumers and the Kafka cluster.
    nonisolated let consumerProxy: FaultProxy?
    nonisolated let cluster: MockCluster?
    /// The file systems of the embedded system's files, each of its own, where they are small ones.
    nonisolated let disks: [SmallDisk]
    nonisolated let source: any CapturingDatabase
    nonisolated let replica: any CapturingDatabase

    private var processes: [Role: [RunningProcess]] = [:]
    private var writerSeed: UInt64 = 1
    /// What the processes said that were ended.
    private(set) var log = ""

    private init(
        kind: SystemKind,
        places: Places,
        databaseProxy: FaultProxy? = nil,
        producerProxy: FaultProxy? = nil,
        consumerProxy: FaultProxy? = nil,
        cluster: MockCluster? = nil,
        disks: [SmallDisk] = []
    ) throws {
        self.kind = kind
        self.places = places
        self.databaseProxy = databaseProxy
        self.producerProxy = producerProxy
        self.consumerProxy = consumerProxy
        self.cluster = cluster
        self.disks = disks
        source = try Self.open(places.directSource)
        replica = try Self.open(places.directReplica)
    }

    // MARK: A system for a round

    /// Runs a body on a new system.
    /// - Parameters:
    ///   - kind: What it runs on.
    ///   - onSmallDisks: Whether the embedded system's files are to stand on file systems that can be filled.
    static func with<T: Sendable>(
        _ kind: SystemKind,
        onSmallDisks: Bool = false,
        _ body: (System) async throws -> T
    ) async throws -> T {
        try await withTemporaryDirectory { directory in
            switch kind {
            case .embedded: return try await withFiles(in: directory, onSmallDisks: onSmallDisks, body)
            case .servers, .bouncer: return try await withServers(kind, body)
            }
        }
    }

    private static func withFiles<T: Sendable>(
        in directory: String,
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
            let result = try await run(try System(kind: .embedded, places: places, disks: disks), body)
            for disk in disks { try await disk.unmount() }
            return result
        } catch {
            for disk in disks { try await disk.unmount() }
            throw error
        }
    }

    private static func withServers<T: Sendable>(
        _ kind: SystemKind,
        _ body: (System) async throws -> T
    ) async throws -> T {
        let cluster = try MockCluster(brokers: 1)
        defer { cluster.close() }
        let name = kind == .bouncer ? "DIONYSUS_TEST_PGBOUNCER_URL" : "DIONYSUS_TEST_POSTGRES_URL"
        guard let server = ProcessInfo.processInfo.environment[name].flatMap({ URLComponents(string: $0) }),
            let host = server.host, let port = server.port, let colon = cluster.bootstrapServers.lastIndex(of: ":"),
            let brokerPort = Int(cluster.bootstrapServers[colon...].dropFirst())
        else { throw ChaosError("\(name) names no server with a port") }
        let databaseProxy = try await FaultProxy(host: host, port: port)
        let producerProxy = try await FaultProxy(host: "127.0.0.1", port: brokerPort, advertisesItself: true)
        let consumerProxy = try await FaultProxy(host: "127.0.0.1", port: brokerPort, advertisesItself: true)
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
                        directBroker: "127.0.0.1:\(brokerPort)"
                    )
                    return try await run(
                        try System(
                            kind: kind,
                            places: places,
                            databaseProxy: databaseProxy,
                            producerProxy: producerProxy,
                            consumerProxy: consumerProxy,
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
    }

    static func open(_ url: String) throws -> any CapturingDatabase {
        url.hasPrefix("sqlite:")
            ? try SQLiteDatabase(path: String(url.dropFirst("sqlite:".count))) : try PostgresDatabase(url: url)
    }

    /// The broker, past the proxy.
    nonisolated func openBroker() throws -> any MessageBroker {
        let seed = places.directBroker
        return seed.hasPrefix("embedded:")
            ? try EmbeddedBroker(path: String(seed.dropFirst("embedded:".count)))
            : try KafkaBroker(bootstrapServers: seed)
    }

    /// Writes into the source, unless the writers or another fault are in the way.
    nonisolated func disturb(_ statements: [SQL], _ database: (any CapturingDatabase)? = nil) async throws {
        do {
            _ = try await (database ?? source).transaction(.write) { try $0.run(statements) }
        } catch let error as DionysusError where error.isRetriable || error.code == .constraint {
            return
        }
    }

    /// Does something to a database as soon as writers and other faults let it.
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
            "DIONYSUS_LEASE_TIMEOUT_MS": "6000",
            "DIONYSUS_MESSAGE_TIMEOUT_MS": "4000",
            "DIONYSUS_CONSUMER_SETTINGS": kind == .embedded
                ? "session.timeout.ms=6000" : "session.timeout.ms=6000;heartbeat.interval.ms=500",
            "DIONYSUS_HEARTBEAT_DIRECTORY": NSTemporaryDirectory(),
        ]
    }

    /// Starts a process.
    func start(_ role: Role) throws { processes[role, default: []].append(try launch(role)) }

    private func launch(_ role: Role, _ places: Places? = nil) throws -> RunningProcess {
        let places = places ?? self.places
        switch role {
        case .relay: return try process("rentals", ["relay"], role, places)
        case .consumer: return try process("rentals", ["consume"], role, places)
        case .counter: return try process("Chaos", ["count", places.counts, places.consumerBroker], role, places)
        case .writer:
            writerSeed += 1
            return try process(
                "rentals",
                ["traffic", "--rate", "60", "--seconds", "600", "--seed", "\(writerSeed)"],
                role
            )
        }
    }

    /// Starts a program that stands beside this one.
    private nonisolated func process(
        _ program: String,
        _ arguments: [String],
        _ role: Role,
        _ places: Places? = nil
    ) throws -> RunningProcess {
        let directory = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        return try RunningProcess(
            directory.appending(path: program).path,
            arguments,
            environment: environment(of: role, places ?? self.places)
        )
    }

    /// Runs a command of the application to its end.
    nonisolated func run(_ arguments: String...) async throws -> RunningProcess.Result {
        await (try process("rentals", arguments, .writer)).result()
    }

    /// Runs a command that has to succeed.
    nonisolated func succeed(_ arguments: String...) async throws {
        let result = await (try process("rentals", arguments, .writer)).result()
        guard result.status == 0 else { throw ChaosError("\(arguments.joined(separator: " ")): \(result.errors)") }
    }

    /// A process of a role.
    func any(_ role: Role, _ random: inout SeededGenerator) -> RunningProcess? {
        processes[role]?.randomElement(using: &random)
    }

    func all(_ role: Role) -> [RunningProcess] { processes[role] ?? [] }

    /// Kills a process and starts another in its place, as whatever keeps processes running does.
    func replace(_ process: RunningProcess, _ role: Role) async throws {
        await process.killAndWait()
        try exchange(process, role)
    }

    /// Ends a process for good.
    func remove(_ process: RunningProcess, _ role: Role, gracefully: Bool) async throws {
        processes[role]?.removeAll { $0 === process }
        if gracefully { _ = await process.terminate() } else { await process.killAndWait() }
    }

    /// Asks a process to end, and starts another in its place.
    /// - Returns: How it ended.
    func replaceGracefully(_ process: RunningProcess, _ role: Role) async throws -> RunningProcess.Result {
        let result = await process.terminate()
        try exchange(process, role)
        return result
    }

    /// Ends a process gracefully, and starts another in its place that connects to other places.
    func exchange(_ process: RunningProcess, _ role: Role, for places: Places) async throws -> RunningProcess {
        _ = await process.terminate()
        processes[role]?.removeAll { $0 === process }
        let other = try launch(role, places)
        processes[role, default: []].append(other)
        return other
    }

    private func exchange(_ process: RunningProcess, _ role: Role) throws {
        processes[role]?.removeAll { $0 === process }
        try start(role)
    }

    /// Ends all processes of a role.
    /// - Returns: How they ended.
    func end(_ role: Role) async -> [RunningProcess.Result] {
        var results: [RunningProcess.Result] = []
        for process in processes.removeValue(forKey: role) ?? [] {
            let result = await process.terminate()
            log += "=== \(role.rawValue) \(process.identifier), status \(result.status)\n\(result.errors)"
            results.append(result)
        }
        return results
    }

    /// Those that have ended by themselves, with what they said last.
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

/// Why a round could not be run.
struct ChaosError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
