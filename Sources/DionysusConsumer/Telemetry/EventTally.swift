import Dionysus

/// What became of the events of a batch that has been committed.
struct EventTally: Sendable, Hashable {
    /// Why an event had no effect.
    enum Reason: String, CaseIterable, Sendable {
        /// The record is more recent.
        case outdated
        /// A filter did not accept it.
        case filtered
        /// The batch transformation left it out, because a newer one of the batch stands for it.
        case collapsed
        /// Its model is not kept here.
        case noReplica = "no_replica"
        /// Its topic may not write its model.
        case refusedModel = "refused_model"
        /// A message without a value, where that changes nothing.
        case tombstone
        /// A message none of whose events is known.
        case unknownEvent = "unknown_event"
    }

    /// How many events had a say.
    let applied: Int
    /// How many did not, and why.
    let skipped: [Reason: Int]

    /// - Parameters:
    ///   - messages: The batch's messages.
    ///   - applied: How many of their events had a say.
    init(_ messages: PreparedMessages, applied: Int) {
        let (decoded, bound) = (messages.decoded, messages.bound)
        self.applied = applied
        let silent = decoded.filter(\.events.isEmpty)
        let tombstones = silent.count(where: \.message.isTombstone)
        let counts = (decoded.eventCount, messages.accepted.eventCount, messages.transformed.eventCount)
        skipped = [
            .outdated: bound.parts.reduce(0) { $0 + $1.events.count + $1.handovers.count } - applied,
            .filtered: counts.0 - counts.1,
            .collapsed: counts.1 - counts.2,
            .noReplica: bound.parts.reduce(0) { $0 + $1.withoutReplica },
            .refusedModel: bound.parts.reduce(0) { $0 + $1.refused },
            .tombstone: tombstones,
            .unknownEvent: silent.count - tombstones,
        ]
    }
}

extension [DecodedMessage] {
    fileprivate var eventCount: Int { reduce(0) { $0 + $1.events.reduce(0) { $0 + $1.records.count } } }
}
