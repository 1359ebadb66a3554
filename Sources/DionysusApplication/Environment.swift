public import Dionysus
import DionysusConsumer
import DionysusEmbedded
import DionysusHealth
import DionysusKafka
import DionysusPostgres
public import DionysusProducer
import DionysusSQLite
public import Logging

import struct Foundation.URL

/// An application with its settings, and what it connects to.
public struct ApplicationEnvironment<App: DionysusApplication>: Sendable {
    /// The application.
    public let application: App
    /// The settings, after the environment.
    public let settings: ApplicationSettings
    /// Whom the services tell what they do.
    public internal(set) var instrumentation: Instrumentation
    /// Where commands log.
    public internal(set) var logger: Logger

    /// Reads the environment.
    /// - Throws: ``Dionysus/DionysusError`` with code `configuration`, all faults in one.
    public init() throws {
        application = App()
        let resolved = try ResolvedSettings.resolve(of: application)
        settings = resolved.values
        if resolved.usesFiles {
            printError("no address is set, so files under \(App.name)-data/ are used; `config` shows them")
        }
        instrumentation = application.instrumentation
        var logger = Logger(label: App.name) { [settings] in App.logHandler(label: $0, settings: settings) }
        logger.logLevel = settings.logLevel
        self.logger = logger
    }

    /// What the application publishes, looked up.
    public var registry: Registry { Registry(application.producer, settings: settings.producer) }

    /// Opens the database whose changes are published.
    /// - Returns: The database.
    /// - Throws: ``Dionysus/DionysusError`` with code `configuration` if its address is not set or can't be understood.
    public func source() throws -> any CapturingDatabase { try source(for: nil) }

    func source(for role: ServiceRole?) throws -> any CapturingDatabase { try open(.source, role) }

    /// Opens the database that holds the replica.
    /// - Returns: The database.
    /// - Throws: ``Dionysus/DionysusError`` with code `configuration` if its address is not set or can't be understood.
    public func replica() throws -> any CapturingDatabase { try replica(for: nil) }

    func replica(for role: ServiceRole?) throws -> any CapturingDatabase { try open(.replica, role) }

    /// Connects to the broker.
    /// - Returns: The broker.
    /// - Throws: ``Dionysus/DionysusError`` with code `configuration` if its address is not set or can't be understood.
    public func broker() throws -> any MessageBroker {
        try settings.require([.broker])
        let seed = settings.seedBroker
        if let path = seed.suffix(after: "embedded:") { return try EmbeddedBroker(path: path) }
        return try KafkaBroker(bootstrapServers: seed, settings: settings.brokerSettings, logger: logger)
    }

    /// The heartbeat of a service in this process.
    func heartbeat(of role: ServiceRole) throws -> HeartbeatFile {
        try HeartbeatFile(
            role,
            clientID: settings.clientID(of: role),
            application: App.name,
            place: settings.place(of: role),
            directory: settings.heartbeatDirectory,
            logger: logger
        )
    }

    private func open(_ address: Address, _ role: ServiceRole?) throws -> any CapturingDatabase {
        try settings.require([address])
        let url = settings[keyPath: address.path]
        let outbox = address == .source ? try OutboxTables(settings.outboxTable) : OutboxTables()
        if let path = url.suffix(after: "sqlite:"), !path.isEmpty {
            var options = SQLiteOptions()
            options.outbox = outbox
            return try SQLiteDatabase(path: path, options: options)
        }
        guard url.hasPrefix("postgres://") || url.hasPrefix("postgresql://") else {
            throw DionysusError(
                .configuration,
                "\(address.rawValue) is neither sqlite:PATH nor postgres://user:password@host:port/database",
                advice: "correct the variable"
            )
        }
        // The server's list of sessions shows who they belong to.
        var options = PostgresOptions(maxConnections: settings.databaseConnections)
        options.outbox = outbox
        options.applicationName = ([App.name] + (role.map { [$0.rawValue] } ?? [])).joined(separator: " ")
        return try PostgresDatabase(url: url, options: options, logger: logger)
    }
}

extension ApplicationSettings {
    /// The name under which a service is known to the broker.
    func clientID(of role: ServiceRole) -> String {
        switch role {
        case .relay: producer.clientID
        case .consumer: consumer.clientID
        }
    }

    /// The database that a service works on, without its secrets: what tells it from others of its name on the machine.
    func place(of role: ServiceRole) throws -> String {
        let address =
            switch role {
            case .relay: Address.source
            case .consumer: Address.replica
            }
        try require([address])
        let url = self[keyPath: address.path]
        if let path = url.suffix(after: "sqlite:") { return URL(filePath: path).standardizedFileURL.path }
        return try PostgresDatabase(url: url).location
    }
}

extension String {
    fileprivate func suffix(after prefix: String) -> String? {
        hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
    }
}
