public import Dionysus
public import DionysusConsumer
public import DionysusProducer
public import DionysusSchemas
public import Logging

/// All settings, with their defaults.
public struct ApplicationSettings: Sendable {
    /// The database whose changes are published: `sqlite:PATH` or `postgres://user:password@host:port/database`.
    ///
    /// Default empty, as for the other two addresses. If none of them is set, here or in the environment, the
    /// application uses files under `NAME-data/`; if one is set, all others that a command needs must be set too.
    public var sourceDatabaseURL = ""
    /// The database that holds the replica.
    public var replicaDatabaseURL = ""
    /// A file with the contract of the consumed topics, instead of ``/DionysusConsumer/ConsumerSettings/contract``.
    ///
    /// Default nil.
    public var contractFile: String?
    /// The broker: `embedded:PATH`, or `host:port;host:port` of a Kafka cluster.
    public var seedBroker = ""
    /// The maximum number of PostgreSQL connections for a process's transactions; each lane that a relay holds uses one
    /// more.
    ///
    /// Default 10.
    public var databaseConnections = 10
    /// The outbox table in the source database, `NAME` or `SCHEMA.NAME`: see `OutboxTables`.
    ///
    /// Applied by migrating. Default `dionysus_outboxes`.
    public var outboxTable = OutboxTables.standardName
    /// The minimum severity of logged messages.
    ///
    /// Default `notice`.
    public var logLevel = Logger.Level.notice
    /// The format of the default log handler.
    ///
    /// Default `text`.
    public var logFormat = LogFormat.text
    /// The directory for the heartbeat files of the relay and the consumer.
    ///
    /// Default nil: the user's runtime directory, or a private directory among the system's temporary files.
    public var heartbeatDirectory: String?
    /// Where a relay and a consumer serve probes and metrics.
    public var http = HTTPSettings()
    /// How the console is reached.
    public var console = ConsoleAccess()
    /// The producer's settings.
    public var producer = ProducerSettings()
    /// The consumer's settings.
    public var consumer = ConsumerSettings()
    /// Settings of the broker's client library for both sides, passed through unchanged.
    public var brokerSettings: [String: String] = [:]
    /// The memory for the rows and messages that a process is working on, for both sides together.
    ///
    /// Default ``/Dionysus/MemoryBudget/standardSize``.
    public var memoryBudget = MemoryBudget()
    /// The schema registry, and how it is used.
    public var schemaRegistry = SchemaRegistrySettings()
    /// A file with the password for the schema registry, optionally followed by a line break, where no password is set.
    ///
    /// Default nil.
    public var schemaRegistryPasswordFile: String?
    /// Both sides' access to a Kafka cluster.
    public var brokerAccess = BrokerAccess()

    /// Creates settings with their defaults.
    public init() {}
}
