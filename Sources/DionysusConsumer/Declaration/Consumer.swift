public import Dionysus
public import DionysusSchemas

/// What an application keeps a copy of.
///
///     struct RentalMirror: Consumer {
///         var namespaces: [Namespace] {
///             Namespace("v3") {
///                 Topic("rentals").deadLetterQueue("dead_messages", maxRetries: 2)
///                 Topic("bookings")
///             }
///         }
///         var models: Models {
///             Persist("Rental", as: LocalRental.self).renaming("name", to: .title)
///             Persist("Booking", table: "bookings").replacing("bookings_fees")
///         }
///     }
public protocol Consumer: Sendable {
    /// The namespace of topics.
    typealias Namespace = ConsumerNamespace
    /// A topic.
    typealias Topic = ConsumerTopic
    /// The replicas of remote models.
    typealias Models = [ReplicaModel]

    /// The namespaces, as the producer declares them.
    @ListBuilder<ConsumerNamespace> var namespaces: [ConsumerNamespace] { get }

    /// The replicas that don't follow the convention: a model `BookingsFee` is kept in a table `bookings_fees`, and
    /// is skipped if there is no such table. Empty by default.
    @ListBuilder<ReplicaModel> var models: [ReplicaModel] { get }

    /// Chooses the replica of a model that neither ``models`` nor its namespace lists. By default, the convention.
    ///
    ///     func replica(for remoteName: String) -> ReplicaModel? {
    ///         remoteName.hasPrefix("Legacy") ? nil : .conventional(remoteName)
    ///     }
    ///
    /// It is asked once for each name, again after the tables may have changed. Names come from messages, so it has to
    /// answer whatever they are; those with more than 128 bytes or with control characters are left out.
    /// - Parameter remoteName: The model's name on the wire.
    /// - Returns: The replica, or nil if the model is not kept.
    func replica(for remoteName: String) -> ReplicaModel?
    /// What decides for every topic which events are applied, before the topic's own filters. Empty by default.
    var filters: [MessageFilter] { get }

    /// What wraps the handling of messages and batches of every topic, outside the topic's own middleware; the first is
    /// the outermost. Empty by default.
    var middleware: [any ConsumerMiddleware] { get }

    /// Reacts to an event whose effect has been committed. Does nothing by default.
    ///
    /// It is called once for each event that changed or confirmed a record, in the order of the partition. Meanwhile the
    /// partition's next batch may be written, and the one after that waits, unless the topic has virtual lanes or
    /// middleware: then the next batch waits. After a crash between the commit and the call, it is not called again. What it
    /// throws goes to the error handler and changes no data.
    /// - Parameter event: The event, and what it changed.
    func didConsume(_ event: ConsumedEvent) async throws
}

extension Consumer {
    public var models: [ReplicaModel] { [] }
    public func replica(for remoteName: String) -> ReplicaModel? { .conventional(remoteName) }
    public var filters: [MessageFilter] { [] }
    public var middleware: [any ConsumerMiddleware] { [] }
    public func didConsume(_ event: ConsumedEvent) async throws {}
}

/// Topics whose names begin with the same word: `v3_rentals`, `v3_bookings`.
public struct ConsumerNamespace: Sendable {
    package let name: String
    package let topics: [ConsumerTopic]
    package let models: [ReplicaModel]
    /// What is wrong with how it was put together, a line each.
    package var faults: [String] = []

    /// Declares a namespace.
    /// - Parameters:
    ///   - name: Its name: `v3`.
    ///   - topics: Its topics.
    public init(_ name: String, @ListBuilder<ConsumerTopic> topics: () -> [ConsumerTopic]) {
        self.name = name
        self.topics = topics()
        models = []
    }

    /// Declares a namespace whose models are kept in their own way.
    ///
    ///     Namespace("v2") {
    ///         Topic("rentals")
    ///     } models: {
    ///         Persist("Rental", table: "old_rentals")
    ///     }
    /// - Parameters:
    ///   - name: Its name: `v2`.
    ///   - topics: Its topics.
    ///   - models: The replicas of models in its topics, which take the place of those in ``Consumer/models``.
    public init(
        _ name: String,
        @ListBuilder<ConsumerTopic> topics: () -> [ConsumerTopic],
        @ListBuilder<ReplicaModel> models: () -> [ReplicaModel]
    ) {
        self.name = name
        self.topics = topics()
        self.models = models()
    }
}

extension ConsumerNamespace {
    /// A namespace that isn't declared, in which a topic was looked for.
    package init(missing name: String, for topic: String) {
        self.init(name) {}
        faults = ["there is no such namespace, in which the topic \(topic) was to be changed"]
    }

    /// The namespace with another choice for a topic; a fault of it if there is none of the name.
    package func changing(_ topic: String, _ change: (ConsumerTopic) -> ConsumerTopic) -> ConsumerNamespace {
        var copy = ConsumerNamespace(
            name,
            topics: { topics.map { $0.name == topic ? change($0) : $0 } },
            models: { models }
        )
        copy.faults = faults
        if !topics.contains(where: { $0.name == topic }) {
            copy.faults.append("there is no topic \(topic), which was to be changed")
        }
        return copy
    }
}

/// A topic that is read.
public struct ConsumerTopic: Sendable {
    let name: String
    let encoding: TopicEncoding
    var failurePolicy = FailedMessagePolicy.record(laterMessages: .pass)
    var retryPolicy: RetryPolicy?
    var batchTransformation: BatchTransformation? = .latestUpdates
    var filters: [MessageFilter] = []
    var start = StartPosition.earliest
    var tombstonesDelete = false
    var handlers: [EventHandler] = []
    var middleware: [any ConsumerMiddleware] = []
    var sharing: RecordSharing?
    var eventIdentity: EventIdentity?
    var lanes = 1
    /// Whether the name is a regular expression.
    var isPattern = false
    /// Whether the name is the whole name.
    var isNamedInFull = false
    var imports = false
    var models = TopicModels.unclaimed
    /// Whether its replicas are compared with their source.
    var isVerified = false
    /// The topic whose replicas are compared by the messages of this one; nil for one whose messages are applied.
    var comparedTopic: String?
    /// Whether its messages are no model's.
    var holdsMessages = false
    var messageHandlers: [MessageHandler] = []
    var isFatal: FatalErrorRule?
    var identifier: RecordIdentifier?
    /// The namespace that it was declared in.
    var namespace: String?
    /// What it may write; nil for one that isn't declared.
    var acceptance: TopicAcceptance?

    /// Declares a topic.
    /// - Parameters:
    ///   - name: Its name without the namespace: `rentals`.
    ///   - encoding: How its messages are written: the producer's encoding, or `.auto`.
    ///   - models: The models that it may write, by their names on the wire; by default all that no other topic claims.
    ///   - imports: Whether created and destroyed events are handed over to replicas that import them
    ///     (``Persist/importRecords(_:)``).
    public init(
        _ name: String,
        encoding: TopicEncoding = .envelope,
        accepting models: TopicModels = .unclaimed,
        imports: Bool = false
    ) {
        self.name = name
        self.encoding = encoding
        self.models = models
        self.imports = imports
    }

    /// Declares a topic of another program by its whole name, before which neither prefix nor namespace stands.
    ///
    ///     Topic(named: "inventory.public.bookings", encoding: .debezium, accepting: ["Booking"])
    /// - Parameters:
    ///   - name: The whole name.
    ///   - encoding: How its messages are written.
    ///   - models: The models that it may write.
    public init(named name: String, encoding: TopicEncoding, accepting models: TopicModels) {
        self.init(name, encoding: encoding, accepting: models)
        isNamedInFull = true
    }

    /// The topic with another choice.
    func changing(_ change: (inout ConsumerTopic) -> Void) -> ConsumerTopic {
        var copy = self
        change(&copy)
        return copy
    }

    /// Sends messages that fail to another topic, with their key, value and headers, and with headers that say why.
    /// - Parameters:
    ///   - topic: The full name of the other topic.
    ///   - maxRetries: How often a message is tried again in its place before it is sent there.
    public func deadLetterQueue(_ topic: String, maxRetries: Int = 2) -> ConsumerTopic {
        onFailure(.deadLetter(topic: topic, maxRetries: maxRetries))
    }

    /// Chooses what becomes of messages that fail.
    ///
    /// By default they are recorded in the database, and later messages of their keys pass.
    public func onFailure(_ policy: FailedMessagePolicy) -> ConsumerTopic {
        changing { $0.failurePolicy = policy }
    }

    /// Chooses what happens to the messages of a batch before they are applied.
    /// - Parameter transformation: The transformation, or nil to apply every message.
    public func batchTransformation(_ transformation: BatchTransformation?) -> ConsumerTopic {
        changing { $0.batchTransformation = transformation }
    }

    /// Chooses where partitions begin of which no offset is stored yet.
    /// - Parameter position: The place. The earliest message by default.
    public func starting(at position: StartPosition) -> ConsumerTopic {
        changing { $0.start = position }
    }

    /// Lets a message without a value delete the record that its key names.
    ///
    /// By default such a message changes nothing, because it cleans the log and is not a record's end.
    public func deletingOnTombstone() -> ConsumerTopic {
        changing { $0.tombstonesDelete = true }
    }

    /// Works on the messages of each partition by several lanes at once.
    ///
    /// Messages with one key are applied in their order; those with different keys need not be. The number may be changed
    /// at any time: messages that a lane has begun are finished by it.
    ///
    /// Without versions, records that come along in messages of different keys are ordered by their times alone, of
    /// which the equal ones may be applied in any order.
    /// - Parameter lanes: How many lanes a partition has, from 1 to 256. 1 by default.
    public func lanes(_ lanes: Int) -> ConsumerTopic {
        changing { $0.lanes = lanes }
    }
}
