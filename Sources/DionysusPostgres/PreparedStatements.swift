import Dionysus

/// The statements that a connection has prepared, so that the server need not parse and plan them each time: for a
/// transaction of a few rows that is half of the work.
///
/// A prepared plan fits the tables as they were when it was made, so all of them are made anew every few seconds; and
/// statements with many values are planned for these values, each time.
struct PreparedStatements {
    /// How a statement is sent.
    enum Sending: Equatable {
        case unprepared
        /// It is prepared under this name on the way.
        case preparing(String)
        /// It has been prepared under this name.
        case prepared(String)
    }

    private struct Entry {
        var uses = 0
        var name: String?
    }

    /// Statements that come only once are not worth a preparation.
    private static let usesBefore = 1
    private static let lifetime = Duration.seconds(5)
    private static let limit = 1_000
    private static let longestText = 8_192
    private static let longestValue = 2_048

    /// Whether the connection leads to one server process: behind a pooler, statements would be prepared in one, and asked
    /// for in another.
    private var isPossible: Bool
    private var entries: [Command.Shape: Entry] = [:]
    /// The names under which statements are prepared by what is being sent.
    private var underway: [Command.Shape: String] = [:]
    private var lastName = 0
    private var start = ContinuousClock.now
    /// Whether what is being sent ends with the server forgetting what it has.
    private var isExpiring = false

    init(isPossible: Bool) { self.isPossible = isPossible }

    /// How to send a statement.
    mutating func sending(of command: Command) -> Sending {
        guard isPossible, !isExpiring, command.isPreparable, command.size.text <= Self.longestText,
            command.size.longestValue <= Self.longestValue
        else { return .unprepared }
        let shape = command.shape
        if let name = entries[shape]?.name ?? underway[shape] { return .prepared(name) }
        guard entries.count < Self.limit || entries[shape] != nil else { return .unprepared }
        entries[shape, default: Entry()].uses += 1
        guard entries[shape, default: Entry()].uses > Self.usesBefore else { return .unprepared }
        lastName += 1
        let name = "dionysus_\(lastName)"
        underway[shape] = name
        return .preparing(name)
    }

    /// Notes that the server has prepared a statement.
    mutating func confirm(_ command: Command, as name: String) { entries[command.shape]?.name = name }

    /// Whether it is time to prepare anew: then the server has to forget what it has, at the end of what is sent next.
    mutating func expire() -> Bool {
        guard isPossible, ContinuousClock.now - start >= Self.lifetime else { return false }
        let prepared = entries.filter { $0.value.name != nil }
        // What was worth a preparation is prepared anew as soon as it comes; the others begin to count again.
        entries = prepared.mapValues { Entry(uses: $0.uses) }
        start = .now
        isExpiring = !prepared.isEmpty
        return isExpiring
    }

    /// Notes that what was sent has been answered.
    mutating func noteAnswers() {
        isExpiring = false
        underway = [:]
    }

    /// The server doesn't know a statement that was prepared, or knows one that wasn't: there is a pooler in between.
    mutating func giveUp() {
        isPossible = false
        entries = [:]
    }
}
