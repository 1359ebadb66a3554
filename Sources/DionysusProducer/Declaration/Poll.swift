public import Dionysus

/// How a poll finds the records of a table that have changed.
public struct PollMethod: Sendable {
    package enum Kind: Sendable, Hashable {
        case time(column: String, rereading: Duration, fromNow: Bool)
        case state(column: String, published: String, failed: String, publishedAt: String?)
        case fullTable(findsDeletions: Bool)
    }

    package let kind: Kind

    /// Finds records whose time has advanced.
    ///
    /// Records with equal times are found, and those whose transaction committed later than others with a later time.
    /// - Parameters:
    ///   - column: The column with the time of a record's last change. It needs an index.
    ///   - rereading: How far back every round looks again, for what was committed late or with a clock that was behind. On
    ///     PostgreSQL it looks back further, while a transaction is open for longer.
    ///   - fromNow: Whether the first round ignores what is there already.
    public static func time(
        _ column: String,
        rereading: Duration = .seconds(3_600),
        fromNow: Bool = false
    ) -> PollMethod {
        PollMethod(kind: .time(column: column, rereading: rereading, fromNow: fromNow))
    }

    /// Finds records by their state, and sets it.
    ///
    /// Every record whose state is neither of the two is found. In one transaction its row is written to the outbox and its
    /// state is set to `published`; if the row is parked later, the state becomes `failed`.
    /// - Parameters:
    ///   - column: The column with the state. It needs an index.
    ///   - published: The state of records that have been handed to the relay, as text.
    ///   - failed: The state of records that the relay has given up, as text.
    ///   - publishedAt: A column that gets the time at which the record was handed to the relay.
    public static func state(
        _ column: String,
        published: String,
        failed: String,
        publishedAt: String? = nil
    ) -> PollMethod {
        PollMethod(
            kind: .state(column: column, published: published, failed: failed, publishedAt: publishedAt)
        )
    }

    /// Publishes every record of the table in every round.
    public static var fullTable: PollMethod { fullTable(deletions: false) }

    /// Publishes every record of the table in every round, and what has gone since the round before.
    /// - Parameter deletions: Whether to keep the keys of a round, and to publish those that the next one doesn't find as
    ///   destroyed.
    public static func fullTable(deletions: Bool) -> PollMethod {
        PollMethod(kind: .fullTable(findsDeletions: deletions))
    }
}

/// A poll as the producer declares it.
public struct PolledModel: Sendable {
    package let name: String
    package internal(set) var model: ModelDescription
    package let every: Duration
    package let delay: Duration
    package let method: PollMethod
}

extension PolledModel {
    /// Describes the poll of a model that has no type.
    /// - Parameter name: What distinguishes the poll from others; the model's name and the method by default.
    package init(
        _ model: ModelDescription,
        every: Duration,
        delay: Duration,
        by method: PollMethod,
        named name: String?
    ) {
        self.init(
            name: name ?? PolledModel.defaultName(of: model, method),
            model: model,
            every: every,
            delay: delay,
            method: method
        )
    }

    /// The name of a poll that has none of its own.
    package static func defaultName(of model: ModelDescription, _ method: PollMethod) -> String {
        "\(model.name):\(method.kind.name)"
    }
}

/// Declares that a model's changes are found by polling its table, which can have no triggers.
///
///     var polls: [PolledModel] {
///         Poll(Widget.self, every: .seconds(60), delay: .seconds(2), by: .time("updated_at"))
///     }
///
/// The model's ``/Dionysus/Model/captureMethod`` is `polling`. What a poll finds becomes rows of the outbox, like changes that
/// triggers capture. The relay runs the polls; of several relays, one at a time runs each.
public struct Poll: ListElement {
    public let element: PolledModel

    /// Declares a poll.
    /// - Parameters:
    ///   - model: The model.
    ///   - every: The time from the beginning of a round to that of the next.
    ///   - delay: How old a change has to be to be found by its time, so that most transactions have been committed by then.
    ///   - method: How changes are found.
    ///   - name: What distinguishes the poll from others, and its stored position from theirs. The model's name and the method
    ///     by default.
    public init<Record: Model>(
        _ model: Record.Type,
        every: Duration = .seconds(60),
        delay: Duration = .seconds(2),
        by method: PollMethod,
        named name: String? = nil
    ) {
        element = PolledModel(ModelDescription(model), every: every, delay: delay, by: method, named: name)
    }
}

extension PollMethod.Kind {
    /// The method's name, as a part of a poll's.
    var name: String {
        switch self {
        case .time: "time"
        case .state: "state"
        case .fullTable: "full_table"
        }
    }
}
