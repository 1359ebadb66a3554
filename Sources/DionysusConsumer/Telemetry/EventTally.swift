import Dionysus

/// How many events of a committed batch were applied and skipped.
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

    /// How many events were applied.
    let applied: Int
    /// How many were not, and why.
    let skipped: [Reason: Int]
}

/// The results of a batch so far.
struct BatchSummary: Sendable {
    /// How many events were applied.
    var applied = 0
    /// The offsets of messages that have failed.
    var failed: Set<Int64> = []
    /// What was wrong with the first of them.
    var firstFailure: DionysusError?
}
