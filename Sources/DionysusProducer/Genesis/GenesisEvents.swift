public import Dionysus

/// `dionysus.genesis_performed`: all records of a genesis run have been published.
///
/// It is published on the event bus once for a run, and again if the process ended before that could be noted. A consumer
/// that holds the messages of this time has all records that the run selected.
public struct GenesisPerformed: BusEvent, Hashable {
    public static let name = "dionysus.genesis_performed"

    /// The run.
    public let runID: Int64
    /// The model's name.
    public let model: String
    /// The name of the application that published: ``ProducerSettings/publisherServiceName``.
    public let service: String
    /// The topic's full name.
    public let topic: String
    /// When the run was started.
    public let startedAt: Timestamp
    /// When its last record had been published, and ``ProducerSettings/genesisSafetyDelay`` after it.
    public let endedAt: Timestamp
}

/// `dionysus.genesis_started`: a relay has begun with a genesis run.
///
/// It is published on the event bus before the first record is, and again if the process ended before that could be noted.
public struct GenesisStarted: BusEvent, Hashable {
    public static let name = "dionysus.genesis_started"

    /// The run.
    public let runID: Int64
    /// The model's name.
    public let model: String
    /// The name of the application that publishes: ``ProducerSettings/publisherServiceName``.
    public let service: String
    /// The topic's full name.
    public let topic: String
    /// When the run was started.
    public let startedAt: Timestamp
    /// When the last record is planned to have been published, and ``ProducerSettings/genesisSafetyDelay`` after it; nil for
    /// a run that isn't spread over a time, whose end can't be known.
    public let plannedEnd: Timestamp?
}

/// What an application adds to genesis runs.
public struct GenesisHooks: Sendable {
    /// What happens to the records of a chunk of a run that asks for no streamer; they are written to the outbox by
    /// default.
    public var streamer: any GenesisStreamer = OutboxStreamer()
    /// Called when a relay begins with a run: once, and again if the process ended before that could be noted.
    public var onStarted: @Sendable (GenesisStarted) async -> Void = { _ in }
    /// Called when a run has been completed: once, and again if the process ended before that could be noted.
    public var onPerformed: @Sendable (GenesisPerformed) async -> Void = { _ in }

    /// Creates hooks that add nothing.
    package init() {}
}
