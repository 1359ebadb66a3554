public import Dionysus
public import DionysusSchemas

/// The settings of the producer's side.
///
/// Every value has a default that suits most applications.
public struct ProducerSettings: Sendable {
    /// The name by which the broker knows this application.
    ///
    /// Default `dionysus`.
    public var clientID = "dionysus"
    /// The application that owns the outbox; other applications refuse to migrate it.
    ///
    /// `DionysusApplication` sets the application's name. Default nil: any application may migrate it.
    public var application: String?
    /// The prefix of every topic's name.
    ///
    /// Default empty.
    public var topicPrefix = ""
    /// The column that is not null in soft-deleted records, for models that name none.
    ///
    /// Applied by migrating. Default `canceled_at`.
    public var softDeleteColumn = "canceled_at"
    /// The attribute that is the partition key of topics which declare none.
    ///
    /// Default `account_id`.
    public var defaultPartitionKey: String? = "account_id"
    /// The partition key of topics which declare none, where it is computed instead of an attribute.
    ///
    /// Default nil: ``defaultPartitionKey`` decides.
    public var partitionKey: PartitionKey?
    /// How partition keys become partitions.
    ///
    /// Default ``/Dionysus/Partitioner/crc32``.
    public var partitioner = Partitioner.crc32
    /// How many digits the fractions of times have, from 0 to 6.
    ///
    /// Default 6.
    public var timeFractionDigits = 6
    /// How numbers, times and texts are written in topics that don't say.
    ///
    /// Default nil: as dionysus-rb does where it made the outbox's table, else ``WireStyle/dionysus``.
    public var wire: WireStyle?
    /// How many lanes a new outbox gets: the most batches that all relays together can work on at once.
    ///
    /// The more lanes there are, the fewer rows a batch has when little changes. Default 4.
    public var lanes = 4
    /// How many batches one process works on at once.
    ///
    /// Default 4.
    public var workers = 4
    /// How many rows of the outbox a batch takes at most.
    ///
    /// Default 2000.
    public var batchSize = 2_000
    /// How long an idle relay waits before it looks for new rows.
    ///
    /// Default 200 ms.
    public var pollInterval = Duration.milliseconds(200)
    /// Whether the database wakes an idle relay when something changes.
    ///
    /// Behind a connection pooler that is impossible, and the relay polls. Default true.
    public var wakesUp = true
    /// How old a row must be before a relay takes it, which gives the process that recorded it time to publish it.
    ///
    /// Rows wait behind younger ones of the same partition key. Default zero.
    public var publishingDelay = Duration.zero
    /// Whether a process that commits through a ``CommitPublisher`` publishes at once what it has recorded.
    ///
    /// Default false.
    public var publishesAfterCommit = false
    /// Whether only the last of consecutive rows with the same record and event is published.
    ///
    /// Default false.
    public var removesConsecutiveDuplicates = false
    /// How many records a change to something observed may publish at once; more are published by a genesis run.
    ///
    /// Default 1000.
    public var observersInlineMaximumSize = 1_000
    /// How often a row is tried before it is parked.
    ///
    /// Default 10.
    public var maxAttempts = 10
    /// The longest time a failed row waits for its next attempt.
    ///
    /// Default 1 hour.
    public var maxRetryDelay = Duration.seconds(3_600)
    /// What waits behind a failed row.
    ///
    /// Default ``HoldPolicy/holdRecord``.
    public var onFailure = HoldPolicy.holdRecord
    /// How long a message may wait for its acknowledgement.
    ///
    /// Shorter than ``leaseTimeout``. Default 30 s.
    public var messageTimeout = Duration.seconds(30)
    /// How long a lane's transaction may be idle before the server ends it.
    ///
    /// Default 60 s.
    public var leaseTimeout = Duration.seconds(60)
    /// Whether rows are deleted when they are published, instead of being kept and marked.
    ///
    /// Default false.
    public var deletesPublishedRows = false
    /// How long published rows are kept before the relay deletes them, in small batches.
    ///
    /// Default nil: forever.
    public var retention: Duration?
    /// The defaults with which topics are created: 4 partitions, and otherwise the broker's own.
    public var topics = TopicSettings()
    /// Whether a relay creates the declared topics that the broker doesn't have, all in one request, before it publishes.
    ///
    /// Otherwise it logs which they are. Default false.
    public var createsTopics = false
    /// Whether changes are captured.
    ///
    /// Applied by migrating. Default ``CaptureMode/enabled``.
    public var capture = CaptureMode.enabled
    /// Whether an ``OutboxRecorder`` of this process records changes; triggers ignore it.
    ///
    /// For a process whose changes are not to be published, or are recorded by another program. Default true.
    public var recordsChanges = true
    /// The PostgreSQL role whose members may suppress capture for a transaction.
    ///
    /// Applied by migrating. Default nil: members of the role that owns the outbox, which is the one that migrated first.
    public var captureSuppressionRole: String?
    /// The keys by which the values in changesets are encrypted: the first encrypts, all decrypt.
    ///
    /// Triggers have no keys: only changesets that the application records are encrypted. Default none: values are
    /// written as they are.
    public var changesetKeys: [ChangesetKey] = []
    /// The name of this application in events about genesis runs; the client's name by default.
    public var publisherServiceName: String?
    /// How many records a chunk of a genesis run has.
    ///
    /// Default 1000.
    public var genesisChunkSize = 1_000
    /// How many rows of a genesis run may wait in the outbox before its next chunk is taken; live changes may have to wait
    /// for them.
    ///
    /// Default 20,000.
    public var genesisMaxPendingRows = 20_000
    /// How often a relay starts a verification of every published model.
    ///
    /// Default nil: runs are started by hand alone.
    public var verificationInterval: Duration?
    /// How long after its last record a genesis run is reported to have ended, for consumers whose clocks differ.
    ///
    /// Default 60 s.
    public var genesisSafetyDelay = Duration.seconds(60)
    /// How much memory the rows and messages that are being published may take.
    ///
    /// Default ``/Dionysus/MemoryBudget/standardSize``. The other side of the process may share it.
    public var memoryBudget = MemoryBudget()
    /// The schema registry of topics whose encoding has one.
    ///
    /// `DionysusApplication` sets it. Default nil: there is none.
    public var schemaRegistry: SchemaRegistryClient?
    /// Settings of the broker's client library, passed through as they are.
    public var brokerSettings: [String: String] = [:]

    /// Creates settings with their defaults.
    public init() {}

    /// The partition key of topics which declare none.
    var partitionKeyOfTopics: PartitionKey {
        partitionKey ?? defaultPartitionKey.map { .attribute($0) } ?? .messageKey
    }

    /// The settings of a connection to the broker.
    package var producerOptions: ProducerOptions {
        ProducerOptions(
            clientID: clientID,
            partitioner: partitioner,
            messageTimeout: messageTimeout,
            settings: brokerSettings
        )
    }

    /// What is wrong with the settings, a line each.
    package var faults: [String] {
        var faults: [String] = []
        if messageTimeout >= leaseTimeout { faults.append("messageTimeout must be shorter than leaseTimeout") }
        if !(0...6).contains(timeFractionDigits) { faults.append("timeFractionDigits must be from 0 to 6") }
        if workers < 1 { faults.append("workers must be at least 1") }
        if !(1...1_024).contains(lanes) { faults.append("lanes must be from 1 to 1024") }
        if !(1...50_000).contains(batchSize) { faults.append("batchSize must be from 1 to 50000") }
        if maxAttempts < 1 { faults.append("maxAttempts must be at least 1") }
        if publishingDelay < .zero { faults.append("publishingDelay must not be negative") }
        if let retention, retention <= .zero { faults.append("retention must be longer than zero") }
        faults += topics.faults(of: "topics")
        if pollInterval <= .zero { faults.append("pollInterval must be longer than zero") }
        if !(1...100_000).contains(genesisChunkSize) { faults.append("genesisChunkSize must be from 1 to 100000") }
        if observersInlineMaximumSize < 0 { faults.append("observersInlineMaximumSize must not be negative") }
        if genesisMaxPendingRows < 1 { faults.append("genesisMaxPendingRows must be at least 1") }
        if let verificationInterval, verificationInterval <= .zero {
            faults.append("verificationInterval must be longer than zero")
        }
        if let fault = memoryBudget.fault { faults.append(fault) }
        if genesisSafetyDelay < .zero { faults.append("genesisSafetyDelay must not be negative") }
        return faults + ChangesetKey.faults(in: changesetKeys)
    }
}

func throwFaults(of settings: ProducerSettings) throws {
    let faults = settings.faults
    guard faults.isEmpty else {
        throw DionysusError(.configuration, "settings of the producer: \(faults.joined(separator: "; "))")
    }
}
