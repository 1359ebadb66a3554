public import Dionysus

/// How the messages of a topic are written: what a message holds, and in which format.
///
///     Topic("rentals", encoding: .record(.avro(key: .field("id")))) { Publish(Rental.self) }
///
/// The consumer's topic names the same encoding, or ``auto``.
public struct TopicEncoding: Sendable {
    package enum Shape: Sendable {
        /// Changes of rows as Debezium writes them.
        case debezium(DebeziumRows)
        /// A list of events: in a format, or in JSON as dionysus-rb writes it.
        case envelope(RecordFormat?)
        /// One record.
        case record(RecordFormat, RecordDeletion)
        /// Whatever a message turns out to hold.
        case auto
    }

    package let shape: Shape
    /// How messages are CloudEvents; nil if they aren't.
    package private(set) var cloudEvents: CloudEventMode?

    private init(shape: Shape) { self.shape = shape }

    /// Events in JSON, for Dionysus and dionysus-rb.
    public static let envelope = TopicEncoding(shape: .envelope(nil))

    /// Events in a format, with or without a schema registry: one schema for all models of the topic.
    ///
    ///     Topic("rentals", encoding: .envelope(.avro)) { Publish(Rental.self) }
    ///
    /// In JSON and JSON Schema the value is that of ``envelope``. In Avro and other formats the data of events are records as
    /// ``record(_:deletions:)`` has them, with links beside attributes.
    /// - Parameter format: How envelopes and keys are written.
    /// - Returns: The encoding.
    public static func envelope(_ format: RecordFormat) -> TopicEncoding { TopicEncoding(shape: .envelope(format)) }

    /// Whatever a message turns out to hold, for consumers: an envelope or a record, in JSON or in a registry's format.
    ///
    /// Each may be the data of a CloudEvent.
    ///
    /// Data of a registry is read as it was written.
    public static let auto = TopicEncoding(shape: .auto)

    /// One record in each message, for sinks, stream processors and other languages.
    ///
    /// Attributes stand at the top, links as `NAME_id`, `NAME_type` and `NAME_ids`, and what is sideloaded as nested records.
    /// - Parameters:
    ///   - format: How records and keys are written.
    ///   - deletions: What a destroyed record becomes.
    /// - Returns: The encoding.
    public static func record(_ format: RecordFormat, deletions: RecordDeletion = .null) -> TopicEncoding {
        TopicEncoding(shape: .record(format, deletions))
    }

    /// Changes of rows as Debezium writes them, for consumers, with the defaults of ``DebeziumRows``.
    public static let debezium = TopicEncoding(shape: .debezium(DebeziumRows()))

    /// Changes of rows as Debezium writes them, for consumers: `{"before":…,"after":…,"source":…,"op":…}`, with or without
    /// schema, or flattened to the row.
    ///
    ///     Topic("bookings", encoding: .debezium(rows), accepting: ["Booking"])
    /// - Parameter rows: How rows become records.
    /// - Returns: The encoding.
    public static func debezium(_ rows: DebeziumRows) -> TopicEncoding { TopicEncoding(shape: .debezium(rows)) }

    /// Makes each message a CloudEvent, whose data are what the message would hold without it.
    ///
    ///     Topic("rentals", encoding: .envelope.cloudEvents(.structured)) { Publish(Rental.self) }
    ///
    /// A consumer's topic takes both modes, and messages that are no CloudEvents.
    /// - Parameter mode: How messages hold the events.
    /// - Returns: The encoding.
    public func cloudEvents(_ mode: CloudEventMode = .binary) -> TopicEncoding {
        var copy = self
        copy.cloudEvents = mode
        return copy
    }

    /// What a contract calls it.
    package var name: String {
        let base =
            switch shape {
            case .envelope(let format): format.map { "envelope.\($0.name)" } ?? "envelope"
            case .record(let format, _): "record.\(format.name)"
            case .debezium: "debezium"
            case .auto: "auto"
            }
        return cloudEvents.map { "\(base).cloudevents-\($0.rawValue)" } ?? base
    }

    /// Whether a consumer takes CloudEvents.
    package var takesCloudEvents: Bool {
        if case .auto = shape { true } else { cloudEvents != nil }
    }

    /// How rows become records; nil if messages aren't Debezium's.
    package var debeziumRows: DebeziumRows? {
        guard case .debezium(let rows) = shape else { return nil }
        return rows
    }

    /// The format of its records or envelopes; nil for envelopes as dionysus-rb writes them.
    package var format: RecordFormat? {
        switch shape {
        case .envelope(let format): format
        case .record(let format, _): format
        case .debezium, .auto: nil
        }
    }

    /// The format of its records; nil for envelopes.
    package var recordFormat: RecordFormat? { holdsEnvelopes ? nil : format }

    /// Whether each message is a list of events.
    package var holdsEnvelopes: Bool { if case .envelope = shape { true } else { false } }

    /// Whether destroyed records are marked and not left out.
    package var marksDeletions: Bool {
        guard case .record(_, .marked) = shape else { return false }
        return true
    }

    /// Whether messages can't be written or read without a registry.
    package var needsRegistry: Bool {
        format?.framing == .registry
    }
}

/// What a destroyed record becomes in a topic of records.
public enum RecordDeletion: Sendable, Hashable {
    /// A message without a value, after which a compacted topic forgets the record.
    case null
    /// What is left of the record, with `"__deleted": true`.
    case marked

    /// The name of the field that marks a destroyed record.
    package static let field = "__deleted"
}
