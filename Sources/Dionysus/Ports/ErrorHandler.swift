public import Logging

/// Receives every error that a service handles, with its context.
///
/// Errors that a service throws from `run()` go to its caller. The service handles all others and reports them here, so
/// that they can be logged, counted, or sent to an error tracker.
public protocol ErrorHandler: Sendable {
    /// Handles an error.
    ///
    /// It runs on the task that does the work, so it should return soon.
    /// - Parameters:
    ///   - context: What was being done.
    func handle(_ error: any Error, _ context: ErrorContext)
}

/// What a service was doing when an error occurred.
///
/// It identifies records and rows, but contains none of their values.
public struct ErrorContext: Sendable, Hashable, CustomStringConvertible {
    /// The activity, to follow "could not": `publish a batch`.
    public var activity: String
    /// The topic, if any.
    public var topic: String?
    /// The partition of the topic, if any.
    public var partition: Int32?
    /// The message's offset in its partition, if any.
    public var offset: Int64?
    /// The record's message key, if any: `Rental:5`.
    public var record: String?
    /// The outbox lane, if any.
    public var lane: Int?
    /// The ids of the outbox rows, if any.
    public var rowIDs: [Int64]
    /// The number of consecutive failures, including this one; for an outbox row, the number of counted attempts.
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

    /// The context as log metadata.
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
/// A retriable error is logged as a warning, and only the first of several in a row. Events rejected by a filter are
/// logged at `info`, because that is intended. Everything else is an error. For errors of other libraries only the type
/// is logged, because the description may contain values.
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
