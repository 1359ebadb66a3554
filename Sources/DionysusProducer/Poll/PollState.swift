import Dionysus

/// How far a poll is, as its row has it.
struct PollState: Sendable {
    /// The number of the current or the last round.
    var round: Int64
    var startedAt: Timestamp?
    /// The time up to which the current round looks; nil between rounds.
    var roundUntil: Timestamp?
    /// The mark of the transaction that began the round.
    var roundMark: String?
    /// Whether the round has looked again at what came before the position.
    var isReread: Bool
    /// The time of the last record found in order, as the column has it.
    var positionTime: String?
    /// The key of that record.
    var positionKey: String?
    /// Everything up to this time is settled: no round looks at it again.
    var rereadFrom: Timestamp?
    /// The time up to which everything is settled once the transactions have ended that were open at the mark.
    var pendingFrom: Timestamp?
    var pendingMark: String?
    /// Whether those had ended when the round began: what they wrote, its second look has found.
    var isPendingSettled: Bool
    /// Whether those have ended by now.
    let hasPendingEnded: Bool
    /// The database's time.
    let now: Timestamp

    /// Reads a row of ``PollStatements/claim``.
    init(_ row: Row) throws {
        round = try row.integer(0) ?? 0
        startedAt = try row.timestamp(1)
        roundUntil = try row.timestamp(2)
        roundMark = try row.text(3)
        isReread = try row.integer(4) == 1
        positionTime = try row.text(5)
        positionKey = try row.text(6)
        rereadFrom = try row.timestamp(7)
        pendingFrom = try row.timestamp(8)
        pendingMark = try row.text(9)
        isPendingSettled = try row.integer(10) == 1
        hasPendingEnded = try row.integer(11) == 1
        now = try row.timestamp(12) ?? .now
    }

    /// Whether a round is running, or the next may begin: after a clock was set back it doesn't wait for the old time.
    func isDue(every interval: Duration) -> Bool {
        guard roundUntil == nil, let startedAt else { return true }
        return startedAt > now || startedAt + interval.inSeconds <= now
    }

    /// Begins a round.
    mutating func begin(_ poll: PolledModel, mark: String) {
        round += 1
        startedAt = now
        roundMark = mark
        isReread = false
        isPendingSettled = hasPendingEnded
        guard case .time(_, let rereading, let fromNow) = poll.method.kind else {
            roundUntil = now
            (positionTime, positionKey) = (nil, nil)
            return
        }
        let until = now + -poll.delay.inSeconds
        roundUntil = until
        if let rereadFrom {
            // A clock was set back further than rounds look: what it dates now would never be found.
            if until < rereadFrom { self.rereadFrom = until + -rereading.inSeconds }
        } else {
            rereadFrom = fromNow ? until : until + -rereading.inSeconds
            positionTime = fromNow ? until.description : nil
        }
    }

    /// Ends the current round.
    ///
    /// What it looked at is settled only when all transactions have ended that were open when it began, and as far as a
    /// round is to look back.
    mutating func end(_ poll: PolledModel) {
        defer { roundUntil = nil }
        guard case .time(_, let rereading, _) = poll.method.kind, let until = roundUntil else { return }
        if let pendingFrom {
            guard isPendingSettled else { return }
            let settled = pendingFrom + -rereading.inSeconds
            if rereadFrom.map({ $0 < settled }) ?? true { rereadFrom = settled }
        }
        pendingFrom = until
        pendingMark = roundMark
    }
}
