public import Dionysus

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

    /// Reacts to an event whose effect has been committed. Does nothing by default.
    ///
    /// It is called once for each event that changed or confirmed a record, in the order of the partition. After a
    /// crash between the commit and the call, it is not called again. What it throws is logged and changes no data.
    /// - Parameter event: The event, and what it changed.
    func didConsume(_ event: ConsumedEvent) async throws
}

extension Consumer {
    public var models: [ReplicaModel] { [] }
    public func didConsume(_ event: ConsumedEvent) async throws {}
}

/// Topics whose names begin with the same word: `v3_rentals`, `v3_bookings`.
public struct ConsumerNamespace: Sendable {
    let name: String
    let topics: [ConsumerTopic]

    /// Declares a namespace.
    /// - Parameters:
    ///   - name: Its name: `v3`.
    ///   - topics: Its topics.
    public init(_ name: String, @ListBuilder<ConsumerTopic> topics: () -> [ConsumerTopic]) {
        self.name = name
        self.topics = topics()
    }
}

/// A topic that is read.
public struct ConsumerTopic: Sendable {
    let name: String
    var failurePolicy = FailurePolicy.record
    var batchTransformation: BatchTransformation? = .latestUpdates
    var filters: [MessageFilter] = []
    var start = StartPosition.earliest
    var tombstonesDelete = false
    var handlers: [EventHandler] = []
    var lanes = 1

    /// Declares a topic.
    /// - Parameter name: Its name without the namespace: `rentals`.
    public init(_ name: String) { self.name = name }

    /// Sends messages that fail to another topic, with their key, value and headers, and with headers that say why.
    /// - Parameters:
    ///   - topic: The full name of the other topic.
    ///   - maxRetries: How often a message is tried again in its place before it is sent there.
    /// - Returns: The topic with the choice.
    public func deadLetterQueue(_ topic: String, maxRetries: Int = 2) -> ConsumerTopic {
        onFailure(.deadLetter(topic: topic, maxRetries: maxRetries))
    }

    /// Chooses what becomes of messages that fail.
    ///
    /// By default they are recorded in the database.
    /// - Parameter policy: The choice.
    /// - Returns: The topic with the choice.
    public func onFailure(_ policy: FailurePolicy) -> ConsumerTopic {
        var copy = self
        copy.failurePolicy = policy
        return copy
    }

    /// Chooses what happens to the messages of a batch before they are applied.
    /// - Parameter transformation: The transformation, or nil to apply every message.
    /// - Returns: The topic with the choice.
    public func batchTransformation(_ transformation: BatchTransformation?) -> ConsumerTopic {
        var copy = self
        copy.batchTransformation = transformation
        return copy
    }

    /// Skips events that a condition does not accept.
    /// - Parameter isAccepted: Whether an event is to be applied.
    /// - Returns: The topic with one more filter.
    public func accepting(where isAccepted: @escaping @Sendable (IncomingEvent) -> Bool) -> ConsumerTopic {
        var copy = self
        copy.filters.append(MessageFilter(isAccepted: isAccepted))
        return copy
    }

    /// Chooses where partitions begin of which no offset is stored yet.
    /// - Parameter position: The place. The earliest message by default.
    /// - Returns: The topic with the choice.
    public func starting(at position: StartPosition) -> ConsumerTopic {
        var copy = self
        copy.start = position
        return copy
    }

    /// Lets a message without a value delete the record that its key names.
    ///
    /// By default such a message changes nothing, because it cleans the log and is not a record's end.
    /// - Returns: The topic with the choice.
    public func deletingOnTombstone() -> ConsumerTopic {
        var copy = self
        copy.tombstonesDelete = true
        return copy
    }

    /// Works on the messages of each partition by several lanes at once.
    ///
    /// Messages with one key are applied in their order; those with different keys need not be. The number may be changed
    /// at any time: the messages under way are finished by the lanes they were begun by.
    ///
    /// Without versions, records that come along in messages of different keys are ordered by their times alone, of
    /// which the equal ones may be applied in any order.
    /// - Parameter lanes: How many lanes a partition has, from 1 to 256. 1 by default.
    /// - Returns: The topic with the choice.
    public func concurrency(_ lanes: Int) -> ConsumerTopic {
        var copy = self
        copy.lanes = lanes
        return copy
    }
}
