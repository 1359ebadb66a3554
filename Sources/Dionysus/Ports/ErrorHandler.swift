public import Logging

/// Is told of every error that a service meets, with what it was doing.
///
/// Errors that a service throws from its `run()` are its caller's. The others are handled, and told here so that they can
/// be logged, counted, or sent to a service that collects them.
public protocol ErrorHandler: Sendable {
    /// Takes note of an error.
    ///
    /// It is called on the task that does the work, so it should return soon.
    /// - Parameters:
    ///   - context: What was being done.
    func handle(_ error: any Error, _ context: ErrorContext)
}

/// What was being done when an error occurred.
///
/// It names records and rows, and shows no value of them.
public struct ErrorContext: Sendable, Hashable, CustomStringConvertible {
    /// What was being done, to stand after "could not": `publish a batch`.
    public var activity: String
    /// The topic, if it was about one.
    public var topic: String?
    /// The partition of the topic, if it was about one.
    public var partition: Int32?
    /// The offset of the message in its partition, if it was about one.
    public var offset: Int64?
    /// The message key of the record, if it was about one: `Rental:5`.
    public var record: String?
    /// The lane of the outbox, if it was about one.
    public var lane: Int?
    /// The ids of the outbox's rows, if it was about some.
    public var rowIDs: [Int64]
    /// How often in a row it has failed, this time included; of a row of the outbox, how many attempts have counted.
    public var attempt: Int

    /// Creates a context.
    public init(
        _ activity: String,
        topic: String? = nil,
        partition: Int32? = nil,
        offset: Int64? = nil,
        record: String? = nil,
        lane: Int? = nil,
        rowIDs: [Int64] = [],
        attempt: Int = 1
    ) {
        self.activity = activity
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.record = record
        self.lane = lane
        self.rowIDs = rowIDs
        self.attempt = attempt
    }

    public var description: String {
        ([activity] + metadata.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }).joined(separator: ", ")
    }

    /// What is known, as metadata of a log message.
    var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = ["attempt": "\(attempt)"]
        if let topic { metadata["topic"] = "\(topic)" }
        if let partition { metadata["partition"] = "\(partition)" }
        if let offset { metadata["offset"] = "\(offset)" }
        if let record { metadata["record"] = "\(record)" }
        if let lane { metadata["lane"] = "\(lane)" }
        if !rowIDs.isEmpty { metadata["rows"] = "\(rowIDs.map(String.init).joined(separator: ","))" }
        return metadata
    }
}

/// Logs every error.
///
/// What goes away by itself is a warning, and logged as such only the first time in a row; what a filter leaves out is told
/// at the level `info`, because it is wanted; everything else is an error. Of an error that isn't the library's own only the
/// type is shown, because its description may hold values.
public struct LoggingErrorHandler: ErrorHandler {
    private let logger: Logger

    /// Creates a handler.
    public init(_ logger: Logger) { self.logger = logger }

    public func handle(_ error: any Error, _ context: ErrorContext) {
        let known = error as? DionysusError
        let summary = known?.description ?? "\(type(of: error))"
        if known?.code == .filtered {
            logger.info("\(context.activity): \(summary)", metadata: context.metadata)
            return
        }
        let isTransient = known?.isRetriable == true
        let level: Logger.Level = !isTransient ? .error : context.attempt > 1 ? .debug : .warning
        let ending = isTransient ? "; trying again" : ""
        logger.log(level: level, "could not \(context.activity): \(summary)\(ending)", metadata: context.metadata)
    }
}
