import Dionysus

/// Messages that have been read and turned into values of columns.
struct PreparedMessages: Sendable {
    /// The messages as they were read.
    let decoded: [DecodedMessage]
    /// Those of their events that the filters accept.
    let accepted: [DecodedMessage]
    /// The other events.
    let skipped: [SkippedEvent]
    /// What the batch transformation has made of the accepted ones.
    let transformed: [DecodedMessage]
    let bound: BoundBatch
    /// The statements that write them if what is assumed of their records is true.
    var assumed: AssumedWrite?
    let failures: [FailedMessage]
    /// How many messages there were.
    let count: Int
}

extension PreparedMessages {
    /// Whether filters have left out all there was.
    var isLeftOut: Bool { !skipped.isEmpty && accepted.eventCount == 0 }

    /// How many events were applied and skipped, by reason.
    func tally(applied: Int) -> EventTally {
        let silent = decoded.filter { $0.events.isEmpty && $0.plain == nil }
        let tombstones = silent.count(where: \.message.isTombstone)
        let counts = (decoded.eventCount, accepted.eventCount, transformed.eventCount)
        return EventTally(
            applied: applied,
            skipped: [
                .outdated: bound.parts.reduce(0) { $0 + $1.events.count + $1.delegated.count } - applied,
                .filtered: counts.0 - counts.1,
                .collapsed: counts.1 - counts.2,
                .noReplica: bound.parts.reduce(0) { $0 + $1.withoutReplica },
                .refusedModel: bound.parts.reduce(0) { $0 + $1.refused },
                .tombstone: tombstones,
                .unknownEvent: silent.count - tombstones,
            ]
        )
    }
}

extension [DecodedMessage] {
    fileprivate var eventCount: Int { reduce(0) { $0 + $1.events.reduce(0) { $0 + $1.records.count } } }
}
