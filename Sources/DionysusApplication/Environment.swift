public import Dionysus
import DionysusConsumer
import DionysusHealth
public import DionysusProducer
public import Logging

/// An application with its settings, and what it connects to.
public struct ApplicationEnvironment<App: DionysusApplication>: Sendable {
    /// The application.
    public let application: App
    /// The settings, after the environment.
    public let settings: ApplicationSettings
    /// Whom the services tell what they do.
    public let instrumentation: Instrumentation
    /// Where commands log.
    public let logger: Logger

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
        return try connectBroker(settings.seedBroker, settings: settings.brokerSettings, logger: logger)
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
        // The server's list of sessions shows who they belong to.
        let name = ([App.name] + (role.map { [$0.rawValue] } ?? [])).joined(separator: " ")
        return try DatabaseAddress(settings[keyPath: address.path], variable: address.rawValue)
            .open(
                outbox: address == .source ? OutboxTables(settings.outboxTable) : OutboxTables(),
                connections: settings.databaseConnections,
                applicationName: name,
                logger: logger
            )
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
        return try DatabaseAddress(self[keyPath: address.path], variable: address.rawValue).location
    }
}
