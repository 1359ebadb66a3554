/// How an embedded log is kept.
public struct EmbeddedLogOptions: Sendable {
    /// What an acknowledged message survives.
    public enum Durability: Sendable, Hashable {
        /// Each batch is synced to the disk before it is acknowledged: it survives a loss of power.
        case power
        /// A batch is acknowledged once the operating system has it: it survives the end of any process, and the
        /// last batches may be missing after a loss of power.
        case processes
    }

    /// What an acknowledged message survives.
    ///
    /// By default a loss of power.
    public var durability: Durability
    /// How many partitions a topic gets that is created by sending to it.
    public var defaultPartitions: Int32
    /// How long a message may be, in bytes of its key, value and headers together.
    public var maximumMessageBytes: Int
    /// How long messages are kept at least; older ones are deleted.
    ///
    /// Nil keeps them forever.
    public var retentionAge: Duration?
    /// How much of each partition is kept at least, in bytes of keys, values and headers; what is older than that is
    /// deleted.
    ///
    /// Nil keeps everything.
    public var retentionBytes: Int64?
    /// How often messages that needn't be kept any more are looked for.
    public var retentionInterval: Duration
    /// How long to wait while another process writes, before a call fails with `brokerUnavailable`.
    public var busyTimeout: Duration

    /// Creates options.
    /// - Parameters:
    ///   - durability: What an acknowledged message survives.
    ///   - defaultPartitions: How many partitions a topic gets that is created by sending to it; at least one.
    ///   - maximumMessageBytes: How long a message may be, in bytes.
    ///   - retentionAge: How long messages are kept at least; nil keeps them forever.
    ///   - retentionBytes: How many bytes of each partition are kept at least; nil is all.
    ///   - retentionInterval: How often messages that needn't be kept any more are looked for.
    ///   - busyTimeout: How long to wait while another process writes.
    public init(
        durability: Durability = .power,
        defaultPartitions: Int32 = 4,
        maximumMessageBytes: Int = 1_048_576,
        retentionAge: Duration? = nil,
        retentionBytes: Int64? = nil,
        retentionInterval: Duration = .seconds(30),
        busyTimeout: Duration = .seconds(10)
    ) {
        self.durability = durability
        self.defaultPartitions = defaultPartitions
        self.maximumMessageBytes = maximumMessageBytes
        self.retentionAge = retentionAge
        self.retentionBytes = retentionBytes
        self.retentionInterval = retentionInterval
        self.busyTimeout = busyTimeout
    }
}

extension Duration {
    var microseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }
}
