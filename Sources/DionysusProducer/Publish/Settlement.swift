import Dionysus

/// What becomes of the rows of a batch after its messages have been acknowledged or refused.
struct Settlement: Sendable {
    private(set) var published: [OutboxRow] = []
    private(set) var failures: [(row: OutboxRow, error: DionysusError)] = []
    private(set) var notes: [String: [OutboxRow]] = [:]
    private(set) var brokerError: DionysusError?
    /// Rows whose topic the broker doesn't have, or denies: they wait until it is there, and no attempt is counted.
    private(set) var withoutTopic: [(row: OutboxRow, error: DionysusError)] = []
    private var failureStatements: [(row: OutboxRow, error: DionysusError, attempts: Int64, delay: Double?)] = []

    /// - Parameters:
    ///   - rows: The rows that were to be published.
    ///   - sent: What has become of them.
    ///   - unreplaced: Rows that were to be replaced and couldn't be.
    ///   - settings: How often rows are tried.
    init(
        _ rows: [OutboxRow],
        _ sent: SentRows,
        failed unreplaced: [(row: OutboxRow, error: DionysusError)],
        _ settings: ProducerSettings
    ) {
        sort(rows, sent, settings)
        for (row, error) in unreplaced { fail(row, error, settings) }
    }

    private mutating func sort(_ rows: [OutboxRow], _ sentRows: SentRows, _ settings: ProducerSettings) {
        var unsettled: [(row: OutboxRow, error: DionysusError)] = []
        var superseded: [OutboxRow] = []
        for (row, verdict) in zip(rows, sentRows.verdicts) {
            switch verdict {
            case .held, .refused: break
            case .superfluous(let note): notes[note, default: []].append(row)
            case .superseded: superseded.append(row)
            case .failed(let error): unsettled.append((row, error))
            case .send(let places, _):
                if let error = sentRows.results[places].lazy.compactMap(\.failure).first {
                    unsettled.append((row, error))
                } else {
                    published.append(row)
                }
            }
        }
        guard !superseded.isEmpty || !unsettled.isEmpty else { return }
        let lastPublished = Dictionary(published.map { ($0.record, $0.id) }, uniquingKeysWith: { $1 })
        // If the row that supersedes them was not published, they are still pending.
        for row in superseded where lastPublished[row.record].map({ $0 > row.id }) == true {
            notes[Self.duplicate, default: []].append(row)
        }
        for (row, error) in unsettled {
            if !row.isOfPlainMessage, let last = lastPublished[row.record], last > row.id {
                notes["not published: a later message of the record has been", default: []].append(row)
            } else if error.isOfBroker {
                brokerError = error
            } else if error.code == .unknownTopic || error.code == .topicDenied {
                withoutTopic.append((row, error))
            } else {
                fail(row, error, settings)
            }
        }
    }

    private static let duplicate = "not published: the record's next change, the same event, has been"

    /// The rows that are finished.
    var settled: [OutboxRow] { published + notes.values.flatMap(\.self) }

    /// Whether the lane has progressed.
    var hasSettledRows: Bool { !published.isEmpty || !notes.isEmpty || !failures.isEmpty }

    /// Rows that have failed for the last time.
    var parked: [OutboxRow] { failureStatements.filter { $0.delay == nil }.map(\.row) }

    private mutating func fail(_ row: OutboxRow, _ error: DionysusError, _ settings: ProducerSettings) {
        failures.append((row, error))
        // An error that may pass without help doesn't count as an attempt, so that its row is never parked.
        let attempts = error.isRetriable ? row.attempts : row.attempts + 1
        let isLast = !error.isRetriable && attempts >= Int64(settings.maxAttempts)
        let cap = Double(settings.maxRetryDelay.components.seconds)
        let delay = min(5 * Double(1 << min(attempts, 20)), cap)
        failureStatements.append((row, error, attempts, isLast ? nil : delay))
    }

    func statements(_ outbox: Outbox, deleting: Bool) -> [SQL] {
        var statements: [SQL] = []
        if !published.isEmpty { statements.append(outbox.settle(published.map(\.id), deleting: deleting)) }
        // What is finished needs its bytes no longer.
        let messages = settled.filter(\.isOfPlainMessage).compactMap(\.plainMessageID)
        if !messages.isEmpty { statements.append(outbox.removal(ofMessages: messages)) }
        for (note, rows) in notes {
            let ids = rows.map(\.id)
            statements.append(deleting ? outbox.settle(ids, deleting: true) : outbox.settle(ids, note: note))
        }
        for (delay, failures) in Dictionary(grouping: failureStatements, by: \.delay) {
            let rows = failures.map { Outbox.Failure(id: $0.row.id, error: $0.error, attempts: $0.attempts) }
            statements.append(outbox.fail(rows, retryAfter: delay))
        }
        return statements
    }
}
