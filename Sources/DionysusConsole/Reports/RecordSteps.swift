import Dionysus
import DionysusConsumer
import DionysusProducer

/// The steps of a record's way, and what else moves with it.
extension RecordReport {
    static func step(_ row: OutboxEntry) -> Step {
        let changed = row.changedColumns.isEmpty ? "" : ": \(row.changedColumns.joined(separator: ", "))"
        let origin = row.origin.map { " · by \($0)" } ?? ""
        let error = row.errorMessage.map { " · \($0)" } ?? ""
        let (title, state): (String, Elements.State) =
            switch row.state {
            case .pending: ("recorded, waits to be published", .late)
            case .retrying: ("failed, is tried again", .late)
            case .parked: ("failed for the last time", .stuck)
            case .published: (row.errorMessage == nil ? "published" : "settled without a message", .well)
            }
        let isObserved = row.topic.hasPrefix("__")
        return Step(
            time: row.publishedAt ?? row.failedAt ?? row.createdAt,
            title: isObserved ? "changed what others are computed from" : "\(row.eventName) \(title)",
            detail: "recorded at \(row.createdAt.map { Format.time($0) } ?? "–")\(changed)\(origin)\(error)",
            place: isObserved ? "outbox \(row.id)" : "outbox \(row.id) → \(row.topic)",
            path: "/outbox/\(row.id)",
            state: state
        )
    }

    static func step(_ event: LoggedEvent) -> Step {
        Step(
            time: event.handledAt,
            title: "\(event.type) handled",
            detail: "version \(event.version.map(String.init) ?? "–") · \(event.attempts) attempts",
            place: "\(event.source) @ \(Format.number(event.offset))",
            path: Link.messages(event.source.topic, partition: event.source.partition, offset: event.offset),
            state: .well
        )
    }

    static func step(_ row: ReplicaRow) -> Step {
        Step(
            time: row.writtenAt.flatMap(moment),
            title: row.isSoftDeleted ? "kept in the replica as destroyed" : "in the replica",
            detail: row.version.map { "as of version \($0)" } ?? "",
            place: "table \(row.table)",
            path: nil,
            state: .well
        )
    }

    static func step(_ verification: RecordVerification, _ rows: [ReplicaRow]) -> Step {
        let (run, open) = (verification.run, verification.open(rows))
        let (title, detail, state): (String, String, Elements.State) =
            switch run.state {
            case .cancelled: ("verification was cancelled", "", .idle)
            case .comparing, .ended, .rechecking:
                ("is compared with its source", "the consumer has to apply what the topic holds", .late)
            case .completed where verification.differences.isEmpty: ("equals its source", "nothing differs", .well)
            case .completed where open.isEmpty:
                ("differed from its source", "\(run.findings); something newer has come since", .idle)
            case .completed:
                (
                    "differs from its source",
                    open.map { "\($0.model) \($0.recordID) is \($0.words)" }.joined(separator: "; "), .stuck
                )
            }
        return Step(
            time: run.finishedAt ?? run.startedAt,
            title: title,
            detail: detail,
            place: "verification \(run.number)",
            path: run.path,
            state: state
        )
    }

    static func step(_ failure: RecordedFailure) -> Step {
        Step(
            time: failure.retriedAt ?? failure.createdAt,
            title: failure.state == .waiting ? "waits behind a failure of its key" : "could not be applied",
            detail: failure.errorMessage,
            place: "\(failure.source) @ \(Format.number(failure.offset))",
            path: "/failures/\(failure.id)",
            state: .stuck
        )
    }

    /// What else publishes the record, or comes along in its messages, a line each.
    static func relations(of model: String, in system: ObservedSystem) -> [String] {
        var lines: [String] = []
        func contains(_ parts: [PublishedModelOutline.Part]) -> Bool {
            parts.contains { $0.model == model || contains($0.parts) }
        }
        for publication in system.publications {
            if contains(publication.model.parts) {
                lines.append("is published with \(publication.model.model) in \(publication.topic)")
            }
            for observation in publication.model.observations where observation.model == model {
                lines.append(
                    "publishes \(publication.model.model) in \(publication.topic) when "
                        + "\(observation.attributes.joined(separator: ", ")) changes"
                )
            }
            guard publication.model.model == model else { continue }
            for part in publication.model.parts { lines.append("comes with its \(part.model)") }
            for observation in publication.model.observations {
                lines.append(
                    "is published when \(observation.model) \(observation.attributes.joined(separator: ", ")) changes"
                )
            }
        }
        return lines
    }
}
