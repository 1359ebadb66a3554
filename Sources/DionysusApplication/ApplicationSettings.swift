public import Dionysus
public import DionysusConsumer
public import DionysusProducer
public import DionysusSchemas
public import Logging

/// Everything that can be set, with its default.
public struct ApplicationSettings: Sendable {
    /// The database whose changes are published: `sqlite:PATH` or `postgres://user:password@host:port/database`.
    ///
    /// Default empty, as for the other two addresses. If none of them is set, here or in the environment, files under
    /// `NAME-data/` are used; if one is, those that a command needs must be set as well.
    public var sourceDatabaseURL = ""
    /// The database that holds the replica.
    public var replicaDatabaseURL = ""
    /// A file with the contract of what is consumed, in the place of ``ConsumerSettings/contract``.
    ///
    /// Default nil.
    public var contractFile: String?
    /// The broker: `embedded:PATH`, or `host:port;host:port` of a Kafka cluster.
    public var seedBroker = ""
    /// How many PostgreSQL connections the transactions of a process use at once; the lanes that a relay works on have a
    /// connection each beside them.
    ///
    /// Default 10.
    public var databaseConnections = 10
    /// The table of the outbox in the source database, `NAME` or `SCHEMA.NAME`: see `OutboxTables`.
    ///
    /// Applied by migrating. Default `dionysus_outboxes`.
    public var outboxTable = OutboxTables.standardName
    /// The least severe log messages that are written.
    ///
    /// Default `notice`.
    public var logLevel = Logger.Level.notice
    /// How the default log handler writes them.
    ///
    /// Default `text`.
    public var logFormat = LogFormat.text
    /// The directory of the files by which the relay and the consumer show that they are at work.
    ///
    /// Default nil: the user's runtime directory, or a directory of the user's among the system's temporary files.
    public var heartbeatDirectory: String?
    /// How the producer's side works.
    public var producer = ProducerSettings()
    /// How the consumer's side works.
    public var consumer = ConsumerSettings()
    /// Settings of the broker's client library for both sides, passed through as they are.
    public var brokerSettings: [String: String] = [:]
    /// How much memory the rows and messages that a process has under way may take, on both sides together.
    ///
    /// Default ``Dionysus/MemoryBudget/standardSize``.
    public var memoryBudget = MemoryBudget()
    /// Where a schema registry is, and how it is used.
    public var schemaRegistry = SchemaRegistrySettings()
    /// How a Kafka cluster lets both sides in.
    public var brokerAccess = BrokerAccess()

    /// Creates settings with their defaults.
    public init() {}
}
