import Dionysus

/// Turns claimed rows and the state of their records into messages.
struct Composer: Sendable {
    /// What becomes of a row.
    enum Verdict: Sendable {
        /// Its messages are to be sent, which tell this event: those at these places of the batch.
        case send(Range<Int>, event: EventName)
        /// Nothing is to be sent, and why.
        case superfluous(String)
        /// Its record can't be serialized.
        case failed(DionysusError)
        /// The next row of its record says the same.
        case superseded
        /// An earlier row of its record has failed in this batch, or waits in another lane.
        case held
        /// No record of its model can be loaded.
        case refused

        /// Whether the row keeps later ones from being published.
        var holdsOthers: Bool {
            switch self {
            case .failed, .refused: true
            case .send, .superfluous, .superseded, .held: false
            }
        }

        /// The same behind other messages.
        func shifted(by count: Int) -> Verdict {
            guard case .send(let places, let event) = self else { return self }
            return .send(places.lowerBound + count..<places.upperBound + count, event: event)
        }
    }

    /// Why nothing is sent for a record that isn't there.
    static let gone = "not published: the record no longer exists"
    /// Why nothing is sent for a message that isn't there.
    static let messageGone = "not published: the message no longer exists"

    /// Names the outbox, so that event ids are unique over all of them.
    let sourceID: String
    let registry: Registry
    /// What waits behind a failed row.
    let onFailure: HoldPolicy

    /// What a batch's messages have in common, and what is known of its rows beforehand.
    struct Instructions: Sendable {
        /// The version that the messages carry.
        var version: Int64
        /// The ids of rows whose record has the same event again in its next row.
        var superseded: Set<Int64> = []
        /// Why the records that rows affect could not be found.
        var unexpanded: [Int64: DionysusError] = [:]
        /// The trace of messages whose rows have none.
        var trace: TraceContext?
        /// How the records of topics are written that have a format, or why they can't be.
        var records: [RecordGroup: Result<PreparedRecords, DionysusError>] = [:]
        /// Whether attributes of CloudEvents are headers in every topic, so that values can be read as they are.
        var keepsAttributesApart = false
    }

    /// Composes the messages of rows.
    /// - Parameter held: What earlier rows hold; those of these rows are added.
    func compose(
        _ rows: [OutboxRow],
        _ records: LoadedBatch,
        _ instructions: Instructions,
        _ held: inout Held
    ) -> (messages: [OutgoingMessage], verdicts: [Verdict]) {
        var composition = Composition(self, records, instructions, capacity: rows.count)
        let verdicts = rows.map { row in
            let verdict = held.holds(row, onFailure) ? .held : composition.add(row)
            if verdict.holdsOthers { held.hold(row, onFailure) }
            return verdict
        }
        return (composition.messages, verdicts)
    }

    /// The same in every attempt to publish the row.
    func eventID(of row: OutboxRow) -> String { "\(sourceID)-\(row.id)" }
}
