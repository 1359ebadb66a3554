import Dionysus
import DionysusEmbedded
import DionysusKafka
import DionysusKafkaTesting
import Foundation
import TestSupport
import Testing

/// The systems that the example application runs on.
enum InstallationKind: String, Sendable, CaseIterable, CustomStringConvertible {
    /// SQLite databases and the embedded log.
    case embedded
    /// PostgreSQL and a Kafka cluster.
    case servers
    /// The same, with PgBouncer in transaction mode in front of PostgreSQL.
    case bouncer

    var description: String { rawValue }

    static var available: [InstallationKind] {
        TestDatabaseKind.available.contains(.postgres) ? [.embedded, .servers] : [.embedded]
    }

    static var all: [InstallationKind] { bouncerURL == nil ? available : available + [.bouncer] }

    fileprivate static var bouncerURL: URL? {
        ProcessInfo.processInfo.environment["DIONYSUS_TEST_PGBOUNCER_URL"].flatMap { URL(string: $0) }
    }

    /// The URL of a database.
    fileprivate func url(of database: String) -> String {
        guard self == .bouncer, var components = URLComponents(string: database) else { return database }
        components.host = Self.bouncerURL?.host
        components.port = Self.bouncerURL?.port
        return components.string ?? database
    }
}

/// New databases and a new broker, with the example application's processes.
struct Installation: Sendable {
    /// Who says what is published and consumed.
    enum Declaration: String, Sendable, CaseIterable, CustomStringConvertible {
        /// The example application's code.
        case code
        /// Its file, which `dionysus` reads.
        case file

        var description: String { rawValue }
    }

    let kind: InstallationKind
    var declaration = Declaration.code
    var environment: [String: String]
    private let sourcePath: String

    /// Runs a body with a throw-away installation.
    static func with(
        _ kind: InstallationKind,
        declaredBy declaration: Declaration = .code,
        _ body: (Installation) async throws -> Void
    ) async throws {
        try await withServers(kind) { try await body($0.declared(by: declaration)) }
    }

    private static func withServers(
        _ kind: InstallationKind,
        _ body: (Installation) async throws -> Void
    ) async throws {
        switch kind {
        case .embedded:
            try await withTemporaryDirectory { directory in
                let source = "\(directory)/source.sqlite"
                let environment = [
                    "SOURCE_DATABASE_URL": "sqlite:\(source)",
                    "REPLICA_DATABASE_URL": "sqlite:\(directory)/replica.sqlite",
                    "DIONYSUS_SEED_BROKER": "embedded:\(directory)/log.sqlite",
                ]
                try await body(Installation(kind: kind, environment: environment, sourcePath: source))
            }
        case .servers, .bouncer:
            let cluster = try MockCluster(brokers: 1)
            try await withTemporaryPostgresURL { source in
                try await withTemporaryPostgresURL { replica in
                    let environment = [
                        "SOURCE_DATABASE_URL": kind.url(of: source), "REPLICA_DATABASE_URL": kind.url(of: replica),
                        "DIONYSUS_SEED_BROKER": cluster.bootstrapServers,
                        // A killed member times out sooner.
                        "DIONYSUS_CONSUMER_SETTINGS": "session.timeout.ms=6000;heartbeat.interval.ms=1000",
                    ]
                    try await body(Installation(kind: kind, environment: environment, sourcePath: source))
                }
            }
            cluster.close()
        }
    }

    /// Starts a command of the example application.
    func start(_ arguments: String...) throws -> RunningProcess { try start(arguments) }

    func start(_ arguments: [String]) throws -> RunningProcess {
        guard declaration == .file, let command = arguments.first, !Self.ownCommands.contains(command) else {
            return try RunningProcess(Self.executable.path, arguments, environment: environment)
        }
        let program = Self.executable(named: "dionysus").path
        return try RunningProcess(program, ["-f", Self.file] + arguments, environment: environment)
    }

    /// The commands of the example alone.
    private static let ownCommands = ["seed", "traffic", "demo", "verify", "announce"]

    /// The example's declaration as a file.
    static let file = URL(filePath: #filePath).appending(path: "../../../Examples/Rentals/rentals.yml").standardized
        .path

    /// The same installation with another declaration.
    func declared(by declaration: Declaration) -> Installation {
        var copy = self
        copy.declaration = declaration
        return copy
    }

    /// The example application's executable.
    var program: String { Self.executable.path }

    /// Runs a command of the example application to its end.
    func run(_ arguments: String...) async throws -> RunningProcess.Result { try await start(arguments).result() }

    /// Runs a command of the example application to its end.
    func run(_ arguments: [String]) async throws -> RunningProcess.Result { try await start(arguments).result() }

    /// Runs a command that must succeed.
    @discardableResult
    func succeed(_ arguments: String..., location: SourceLocation = #_sourceLocation) async throws -> String {
        let result = try await start(arguments).result()
        #expect(
            result.status == 0,
            "\(arguments.joined(separator: " ")): \(result.output)\(result.errors)",
            sourceLocation: location
        )
        return result.output
    }

    /// Runs a script on the source with another program: psql or sqlite3.
    func write(_ script: String, location: SourceLocation = #_sourceLocation) async throws {
        try await write(script, to: sourcePath, location: location)
    }

    /// The same on the replica.
    func writeReplica(_ script: String, location: SourceLocation = #_sourceLocation) async throws {
        let url = try #require(environment["REPLICA_DATABASE_URL"])
        try await write(
            script,
            to: kind == .embedded ? String(url.dropFirst("sqlite:".count)) : url,
            location: location
        )
    }

    private func write(_ script: String, to path: String, location: SourceLocation) async throws {
        let (program, arguments) =
            switch kind {
            case .embedded: ("sqlite3", ["-bail", "-cmd", ".timeout 30000", path])
            case .servers, .bouncer: ("psql", ["-q", "-v", "ON_ERROR_STOP=1", path])
            }
        let result = try await RunningProcess(program, arguments, environment: [:], input: script).result()
        #expect(result.status == 0, "\(program): \(result.errors)", sourceLocation: location)
    }

    /// Publishes and applies everything, and compares.
    func replicateAndVerify(location: SourceLocation = #_sourceLocation) async throws {
        try await succeed("relay", "--until-empty", location: location)
        try await succeed("consume", "--until-caught-up", location: location)
        try await succeed("verify", location: location)
    }

    /// The broker, for inspecting the log.
    func withBroker<T: Sendable>(_ body: (any MessageBroker) async throws -> T) async throws -> T {
        let seed = environment["DIONYSUS_SEED_BROKER"] ?? ""
        let broker: any MessageBroker =
            switch kind {
            case .embedded: try EmbeddedBroker(path: String(seed.dropFirst("embedded:".count)))
            case .servers, .bouncer: try KafkaBroker(bootstrapServers: seed)
            }
        let result = try await body(broker)
        await broker.close()
        return result
    }

    /// The directory of the package's executables, next to the tests.
    private static var executable: URL { executable(named: "rentals") }

    /// An executable of the package.
    static func executable(named name: String) -> URL {
        let tests = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }
        let directory = tests?.bundleURL.deletingLastPathComponent() ?? Bundle.main.bundleURL
        return directory.appendingPathComponent(name)
    }
}
