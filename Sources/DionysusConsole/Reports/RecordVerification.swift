import Dionysus
import DionysusConsumer

/// What the last verification of one record alone has found.
struct RecordVerification: Sendable {
    let run: ComparedRun
    let differences: [Difference]

    /// What still differs, as far as the replica's rows of the record tell.
    ///
    /// What was repaired doesn't, nor a row that a newer message has written since, or that is there or gone by now.
    func open(_ rows: [ReplicaRow]) -> [Difference] {
        differences.filter { difference in
            guard difference.repairedAt == nil else { return false }
            // Of rows of parts nothing is known here.
            guard difference.model == run.model, difference.recordID == run.firstKey else { return true }
            guard let row = rows.first else { return difference.kind == .missing || difference.kind == .unreadable }
            guard difference.kind != .missing else { return false }
            guard let version = row.version, let compared = difference.version else { return true }
            return version <= compared
        }
    }

    var json: JSON {
        .object([
            "number": .integer(run.number), "topic": .string(run.topic), "state": .string(run.state.rawValue),
            "finished_at": .init(run.finishedAt), "differences": .array(differences.map(\.json)),
        ])
    }
}

extension Difference {
    /// The difference in words: `stale: name, price`.
    var words: String { columns.isEmpty ? kind.rawValue : "\(kind.rawValue): \(columns.joined(separator: ", "))" }
}
