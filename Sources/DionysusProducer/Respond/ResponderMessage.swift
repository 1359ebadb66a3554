public import Dionysus

/// A message that is published without the outbox.
public struct ResponderMessage: Sendable {
    /// Its events, in their order: at least one.
    package var events: [ResponderEvent]
    /// The message key.
    ///
    /// By default `Model:ID` of the first event's first record.
    package var key: String?
    /// The partition key.
    ///
    /// By default what the topic's rule gives for the first event's first record.
    package var partitionKey: String?
    /// Whether the message goes to the topic's genesis topic and to no other.
    package var genesisOnly: Bool

    /// Creates a message.
    /// - Parameters:
    ///   - events: Its events, in their order: at least one.
    ///   - key: The message's key; nil for the first record's.
    ///   - partitionKey: The value that chooses the partition; nil for the topic's own.
    ///   - genesisOnly: Whether the message goes to the topic's genesis topic and to no other.
    public init(
        _ events: [ResponderEvent],
        key: String? = nil,
        partitionKey: String? = nil,
        genesisOnly: Bool = false
    ) {
        self.events = events
        self.key = key
        self.partitionKey = partitionKey
        self.genesisOnly = genesisOnly
    }
}

/// One event of a message: what happened to one or more records of a model.
public struct ResponderEvent: Sendable {
    enum Content: Sendable {
        case records([any Model])
        case payloads([JSON])
    }

    let name: String
    let model: ModelDescription
    let content: Content

    /// An event of any name.
    /// - Parameters:
    ///   - name: The event's name: `rental_created`, or one of the application's own.
    ///   - records: The records. They are loaded again by their primary keys to be serialized, so that the payloads
    ///     show what the database holds; what it does not hold any more is taken from these values.
    public init<Record: Model>(_ name: String, _ records: [Record]) {
        self.name = name
        model = ModelDescription(Record.self)
        content = .records(records)
    }

    /// A change of records: `rental_created`.
    /// - Parameters:
    ///   - change: What happened to the records.
    ///   - records: The records, which are loaded again by their primary keys.
    public init<Record: Model>(_ change: EventName.Change, _ records: [Record]) {
        self.init(EventName(ModelDescription(Record.self).singular, change).description, records)
    }

    /// An event whose payloads are sent as they are, past the serializer: only ids, for example.
    /// - Parameters:
    ///   - name: The event's name.
    ///   - model: The model of the records.
    ///   - payloads: The payloads, one for each record.
    public init<Record: Model>(_ name: String, of model: Record.Type, payloads: [JSON]) {
        self.name = name
        self.model = ModelDescription(model)
        content = .payloads(payloads)
    }

    /// A change whose payloads are sent as they are, past the serializer: only ids, for example.
    public init<Record: Model>(_ change: EventName.Change, of model: Record.Type, payloads: [JSON]) {
        self.init(EventName(ModelDescription(model).singular, change).description, of: model, payloads: payloads)
    }
}
