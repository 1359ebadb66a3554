public import Dionysus
import DionysusConsumer
import DionysusHealth
public import DionysusProducer
public import Logging

/// An application with its settings and connections.
public struct ApplicationEnvironment<App: DionysusApplication>: Sendable {
    /// The application.
    public let application: App
    /// The settings, with the environment applied.
    public let settings: ApplicationSettings
    /// Where the services report their events and errors.
    public internal(set) var instrumentation: Instrumentation
    /// The commands' logger.
    public internal(set) var logger: Logger

    /// Reads the environment.
    /// - Throws: ``/Dionysus/DionysusError`` with code `configuration`, which lists all faults.
    public init() throws {
        application = App()
        let resolved = try ResolvedSettings.resolve(of: application)
        var settings = resolved.values
        if !settings.schemaRegistry.urls.isEmpty {
            let client = try connectRegistry(settings.schemaRegistry)
            settings.producer.schemaRegistry = settings.producer.schemaRegistry ?? client
            settings.consumer.schemaRegistry = settings.consumer.schemaRegistry ?? client
        }
        self.settings = settings
        if resolved.usesFiles {
            printError("no address is set, so the application uses files under \(App.name)-data/; `config` shows them")
        }
        instrumentation = application.instrumentation
        var logger = Logger(label: App.name) { [settings] in App.logHandler(label: $0, settings: settings) }
        logger.logLevel = settings.logLevel
        self.logger = logger
    }

    /// The registry of what the application publishes.
    public var registry: Registry { Registry(application.producer, settings: settings.producer) }

    /// Opens the database whose changes are published.
    /// - Returns: The database.
    /// - Throws: ``/Dionysus/DionysusError`` with code `configuration` if its address is missing or invalid.
    public func source() throws -> any CapturingDatabase { try source(for: nil) }

    func source(for role: ServiceRole?) throws -> any CapturingDatabase { try open(.source, role) }

    /// Opens the database that holds the replica.
    /// - Returns: The database.
    /// - Throws: ``/Dionysus/DionysusError`` with code `configuration` if its address is missing or invalid.
    public func replica() throws -> any CapturingDatabase { try replica(for: nil) }

    func replica(for role: ServiceRole?) throws -> any CapturingDatabase { try open(.replica, role) }

    /// Connects to the broker.
    /// - Returns: The broker.
    /// - Throws: ``/Dionysus/DionysusError`` with code `configuration` if its address is missing or invalid.
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
        // The server shows this name in its list of sessions.
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
    /// A service's client name at the broker.
    func clientID(of role: ServiceRole) -> String {
        switch role {
        case .relay: producer.clientID
        case .consumer: consumer.clientID
        }
    }

    /// The service's database, without secrets, which distinguishes it from others with its name on the machine.
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
