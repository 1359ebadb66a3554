public import Dionysus
public import DionysusSchemas

/// How the consumer's side works.
///
/// Every value has a default that suits most applications.
public struct ConsumerSettings: Sendable {
    /// The schema registry of topics whose encoding has one.
    ///
    /// `DionysusApplication` sets it. Default nil: there is none.
    public var schemaRegistry: SchemaRegistryClient?
    /// Names this application to the broker, and in the name of its group.
    ///
    /// Default `dionysus`.
    public var clientID = "dionysus"
    /// Stands before the client's name in the name of the group.
    ///
    /// Default `dionysus_consumer_group_for`.
    public var groupPrefix = "dionysus_consumer_group_for"
    /// The whole name of the group, instead of prefix and client.
    ///
    /// Default nil.
    public var groupID: String?
    /// Stands before every topic's name.
    ///
    /// Default empty.
    public var topicPrefix = ""
    /// How many messages are taken from the broker at once.
    ///
    /// Default 2000.
    public var batchSize = 2_000
    /// How many batches, of partitions or of their lanes, are worked on at once in this process.
    ///
    /// Default 4.
    public var concurrency = 4
    /// How long to wait for messages before looking after other things, such as the end of catching up.
    ///
    /// Default 500 ms.
    public var pollTimeout = Duration.milliseconds(500)
    /// How often a message that fails is tried again in its place, for topics that don't say.
    ///
    /// Default 2.
    public var maxRetries = 2
    /// The longest time between two tries of a message, and while the database or the broker is away.
    ///
    /// Default 10 s.
    public var maxRetryDelay = Duration.seconds(10)
    /// How a message that fails is tried again in its place, for topics that don't say.
    ///
    /// Default nil: ``maxRetries`` times, after pauses that double from 100 ms to ``maxRetryDelay``.
    public var retryPolicy: RetryPolicy?
    /// How long a batch may take before the heartbeat says that the consumer is stuck.
    ///
    /// Waiting for the database or the broker does not count. Default 5 min.
    public var stuckAfter = Duration.seconds(300)
    /// How often the lag is measured, where metrics are collected.
    ///
    /// Default 15 s.
    public var lagInterval = Duration.seconds(15)
    /// How long it is remembered that a record was destroyed.
    ///
    /// Default 30 days.
    public var tombstoneRetention = Duration.seconds(30 * 86_400)
    /// How far ahead of the clock of the replica's database the version of a message may be, which is a time in
    /// microseconds; nil for any.
    ///
    /// A message that is further ahead fails: it would win over every later one. So does one whose record has a time that
    /// is further ahead by another 14 hours, as much as a source may be ahead that keeps local times. Default 1 h.
    public var maxClockSkew: Duration? = .seconds(3_600)
    /// How long handled events stay in the event log; nil to keep them forever.
    ///
    /// Default 30 days.
    public var eventRetention: Duration? = .seconds(30 * 86_400)
    /// What to do when the messages at a stored offset are no longer in the log.
    ///
    /// Default ``OutOfRangePolicy/fail``.
    public var onOutOfRange = OutOfRangePolicy.fail
    /// The replica's own columns.
    ///
    /// Default `synced_id` and so on.
    public var columns = ReplicaColumnNames()
    /// What the consumed topics publish, as their producer's `contract` command writes it.
    ///
    /// Default nil: unknown, or what the application's own producer publishes.
    public var contract: Contract?
    /// Who creates the tables of the replica.
    ///
    /// Default ``ReplicaTableOwner/application``.
    public var replicaTables = ReplicaTableOwner.application
    /// The attribute that says when a record was soft-deleted.
    ///
    /// Default `canceled_at`.
    public var softDeleteAttribute = "canceled_at"
    /// Whether replicas keep the rows of records that are destroyed without a time of cancellation, soft-deleted, if their
    /// declaration doesn't say.
    ///
    /// Default false: the rows are deleted.
    public var softDeletes = false
    /// Ends such records in the application's way, in replicas whose declaration doesn't say.
    ///
    /// As ``Persist/cancelling(_:)`` for all replicas with a table. Default nil.
    public var cancelling: (@Sendable (CanceledRecords, inout Transaction) throws -> Void)?
    /// Plurals that follow no rule.
    ///
    /// Default: English ones.
    public var inflection = Inflection()
    /// How much memory the messages in progress may take.
    ///
    /// Default ``/Dionysus/MemoryBudget/standardSize``. The other side of the process may share it.
    public var memoryBudget = MemoryBudget()
    /// Settings of the broker's client library, passed through as they are.
    public var brokerSettings: [String: String] = [:]

    /// Creates settings with their defaults.
    public init() {}

    /// The group's name in effect.
    package var effectiveGroupID: String { groupID ?? "\(groupPrefix)_\(clientID)" }

    /// How names on the wire become names here.
    var naming: Naming {
        Naming(columns: columns, softDeleteAttribute: softDeleteAttribute, inflection: inflection)
    }

    /// How many bytes of messages the broker's client may hold, besides what the budget bounds.
    var bufferedBytes: Int { memoryBudget.size / 4 }

    /// How many bytes of messages may wait unread, besides what the budget bounds.
    var queuedBytes: Int { memoryBudget.size / 8 }

    /// How much memory a batch may take, so that several fit at once.
    var batchBytes: Int { memoryBudget.size / 4 }

    /// The faults of the settings, one per line.
    package var faults: [String] {
        var faults: [String] = []
        if clientID.isEmpty { faults.append("clientID must not be empty") }
        if groupID?.isEmpty == true { faults.append("groupID must not be empty") }
        if !(1...50_000).contains(batchSize) { faults.append("batchSize must be from 1 to 50000") }
        if !(1...64).contains(concurrency) { faults.append("concurrency must be from 1 to 64") }
        if pollTimeout <= .zero { faults.append("pollTimeout must be longer than zero") }
        if maxRetries < 0 { faults.append("maxRetries must not be negative") }
        if maxRetryDelay <= .zero { faults.append("maxRetryDelay must be longer than zero") }
        if stuckAfter <= .zero { faults.append("stuckAfter must be longer than zero") }
        if lagInterval <= .zero { faults.append("lagInterval must be longer than zero") }
        if tombstoneRetention <= .zero { faults.append("tombstoneRetention must be longer than zero") }
        if let maxClockSkew, maxClockSkew <= .zero { faults.append("maxClockSkew must be longer than zero") }
        if let eventRetention, eventRetention <= .zero { faults.append("eventRetention must be longer than zero") }
        if let fault = memoryBudget.fault { faults.append(fault) }
        if softDeleteAttribute.isEmpty { faults.append("softDeleteAttribute must not be empty") }
        return faults + columns.faults
    }
}

/// What to do when the messages at a stored offset are no longer in the log.
public enum OutOfRangePolicy: String, Sendable, Hashable, CaseIterable {
    /// Stop with an error, because messages were missed.
    case fail
    /// Go on with the oldest message that is kept.
    case earliest
}
