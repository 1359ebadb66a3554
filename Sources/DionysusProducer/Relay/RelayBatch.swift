import Dionysus

/// A lane that is held, and what was found in it.
struct LaneClaim: Sendable {
    let lane: Int
    let lease: any Lease
    /// The results of ``RelayPipeline/claiming(_:)``.
    let found: [ResultSet]
    let start: ContinuousClock.Instant
}

/// The next rows of a lane, and what has to become of each.
struct RelayBatch: Sendable {
    let lane: Int
    /// Rows that are published.
    var rows: [OutboxRow]
    /// Rows about something observed or a dependency, which rows of other records replace.
    var replaced: [OutboxRow]
    /// Those of the published rows whose records are also parts of others.
    var withParents: [OutboxRow]
    /// Why rows could not be replaced, or their parents could not be found.
    var unexpanded: [Int64: DionysusError] = [:]
    /// Models whose changes can't be expanded for now.
    var refusedGroups: Set<RecordGroup> = []
    /// The version that its messages carry.
    let version: Int64
    let isFull: Bool
    /// When the work on it began.
    let start: ContinuousClock.Instant

    /// Whether anything has to be published, or noted as failed.
    var hasWork: Bool { !rows.isEmpty || !unexpanded.isEmpty }

    var failedReplacements: [(row: OutboxRow, error: DionysusError)] {
        unexpanded.isEmpty ? [] : replaced.compactMap { row in unexpanded[row.id].map { (row, $0) } }
    }

    /// Notes what expansion has done with its rows.
    mutating func note(_ outcome: Expander.Outcome) {
        guard !outcome.refused.isEmpty || !outcome.failed.isEmpty else { return }
        unexpanded = outcome.failed
        let isRefused = { (row: OutboxRow) in outcome.refused[row.id] != nil }
        refusedGroups.formUnion((replaced + withParents).filter(isRefused).map(RecordGroup.init))
        replaced.removeAll(where: isRefused)
        withParents.removeAll(where: isRefused)
        rows.removeAll(where: isRefused)
    }
}
